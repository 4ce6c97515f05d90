//! The schema's steps, forth and back.

use skiagraph_migrations::{Migrator, MigratorTrait};

use super::*;

#[actix_web::test]
async fn every_step_can_be_undone_and_done_again() {
    let house = House::new().await;
    let db = &house.platform.db;
    Migrator::down(db, None).await.unwrap();
    assert!(!Migrator::get_pending_migrations(db).await.unwrap().is_empty());
    Migrator::up(db, None).await.unwrap();
    assert!(Migrator::get_pending_migrations(db).await.unwrap().is_empty());
    house.newcomer("ada", &[Role::Admin]).await;
    assert!(house.is_intact().await);
}
