//! Sessions against each other.

use futures::future::join;

use super::*;

#[actix_web::test]
async fn of_two_renewals_at_once_one_wins() {
    let house = House::new().await;
    house.user("clara", &[Role::Clinician]).await;
    let session = house.login("clara", PASSWORD).await.body;
    let body = json!({ "refresh_token": session["refresh_token"] });
    let renew = || house.post("/api/v1/auth/refresh", None, &body);
    let (first, second) = join(renew(), renew()).await;
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401], "{} {}", first.text, second.text);
    // The second use was a sign of theft: nothing of the session is good any more.
    let token = session["access_token"].as_str().unwrap();
    assert_eq!(house.get("/api/v1/auth/me", Some(token)).await.status, StatusCode::UNAUTHORIZED);
    let alerts = house.log().await;
    assert!(alerts.contains(&("security_alert".to_owned(), "refused".to_owned())));
}

#[actix_web::test]
async fn a_one_time_password_opens_nothing_but_its_own_change() {
    let house = House::new().await;
    let one_time = house.newcomer("clara", &[Role::Clinician, Role::Admin]).await;
    let session = house.login("clara", &one_time).await.body;
    let token = session["access_token"].as_str().unwrap();
    let refused = house.get("/api/v1/users", Some(token)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.body["type"].as_str().unwrap().ends_with("/password-change-required"));
    let me = house.get("/api/v1/auth/me", Some(token)).await.body;
    assert_eq!(me["must_change_password"], true);
    for (current, new, field) in [
        ("wrong password", PASSWORD, "current_password"),
        (one_time.as_str(), "short", "new_password"),
        (one_time.as_str(), one_time.as_str(), "new_password"),
    ] {
        let body = json!({ "current_password": current, "new_password": new });
        let refused = house.post("/api/v1/auth/password", Some(token), &body).await;
        assert_eq!(refused.body["errors"][0]["field"], field, "{}", refused.text);
    }
}

#[actix_web::test]
async fn roles_end_with_the_next_request() {
    let house = House::new().await;
    let admin = house.user("anna", &[Role::Admin]).await;
    let other = house.user("otto", &[Role::Admin]).await;
    let id = house.get("/api/v1/auth/me", Some(&other)).await.body["id"].clone();
    let path = format!("/api/v1/users/{}", id.as_str().unwrap());
    assert_eq!(house.get(&path, Some(&other)).await.status, StatusCode::OK);
    let roles = json!({ "roles": ["clinician"] });
    let changed = house.ask(Method::PATCH, &path, Some(&admin), Some(&roles)).await;
    assert_eq!(changed.body["roles"], json!(["clinician"]), "{}", changed.text);
    assert_eq!(house.get(&path, Some(&other)).await.status, StatusCode::FORBIDDEN);
    let disabled = json!({ "disabled": true });
    house.ask(Method::PATCH, &path, Some(&admin), Some(&disabled)).await;
    assert_eq!(house.get(&path, Some(&other)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.login("otto", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
}
