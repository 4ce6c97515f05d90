//! The schema's steps, back and forth.

use skiagraph_migrations::{Migrator, MigratorTrait};

use super::*;

/// The audit log is never taken down, and so are the steps before it.
#[actix_web::test]
async fn steps_after_the_log_s_can_be_undone_and_done_again() {
    let house = House::new().await;
    let db = &house.platform.db;
    let steps = Migrator::migrations();
    let after = steps.iter().rev().take_while(|step| step.name() != "m0007_audit").count();
    assert!(after > 0 && after < steps.len(), "{after} of {}", steps.len());
    Migrator::down(db, Some(after as u32)).await.unwrap();
    assert_eq!(Migrator::get_pending_migrations(db).await.unwrap().len(), after);
    Migrator::up(db, None).await.unwrap();
    assert!(Migrator::get_pending_migrations(db).await.unwrap().is_empty());
    let admin = house.user("ada", &[Role::Admin]).await;
    assert_eq!(house.get("/api/v1/destinations", Some(&admin)).await.body["total"], 0);
}
