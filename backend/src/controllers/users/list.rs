//! `GET /users`

use actix_web::{get, web};
use skiagraph_compliance::audit::Action;

use crate::audit::Entry;
use crate::auth::Admin;
use crate::controllers::{Query, Refusals};
use crate::error::ApiError;
use crate::models;
use crate::views::accounts::UserView;
use crate::views::page::{Page, PageQuery};

/// The users, by name.
#[utoipa::path(
    tag = "users",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<UserView>), Refusals),
)]
#[get("/users")]
pub(super) async fn list(
    access: Admin,
    query: Query<PageQuery>,
) -> Result<web::Json<Page<UserView>>, ApiError> {
    let slice = query.read()?.page()?;
    let records = access.read(Entry::new(Action::UserRead, "user")).await?;
    let (users, total) = models::users::list(records.db(), slice.offset(), slice.limit()).await?;
    Ok(web::Json(Page::new(users.into_iter().map(Into::into).collect(), total, slice)))
}
