//! `skiagraph user add | list | reset-password`

use std::process::ExitCode;

use anyhow::{Context, bail};
use chrono::Utc;
use clap::Subcommand;
use skiagraph_compliance::audit::Action;
use skiagraph_compliance::role::Role;

use super::platform::Platform;
use crate::audit::{self, Actor, Entry, role_words};
use crate::auth::{Ledger, hash_password, one_time_password};
use crate::config::Config;
use crate::models;
use crate::models::users::{Changes, NewUser};
use crate::views::accounts::{CreateUser, canonical_username};

/// Users from the command line.
#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Make a user; prints their one-time password
    Add {
        /// Name to log in with
        username: String,
        /// Name to show; the name to log in with when not given
        #[arg(long)]
        display_name: Option<String>,
        /// What the user may be: clinician, ml_engineer, auditor or admin; repeat for several
        #[arg(long = "role", required = true, value_parser = role)]
        roles: Vec<Role>,
    },
    /// List the users
    List,
    /// Give a user a new one-time password and end their sessions
    ResetPassword {
        /// Name to log in with
        username: String,
    },
}

fn role(word: &str) -> Result<Role, String> {
    Role::parse(word).ok_or_else(|| "must be clinician, ml_engineer, auditor or admin".to_owned())
}

pub(super) async fn run(config: Config, command: User) -> anyhow::Result<ExitCode> {
    let platform = Platform::open_migrated(config).await?;
    let ledger = Ledger::new(platform.db, audit::signer(&platform.config.data_dir)?);
    match command {
        User::Add { username, display_name, roles } => {
            let display_name = display_name.unwrap_or_else(|| username.clone());
            let password = add(&ledger, actor(), username, display_name, roles).await?;
            println!("one-time password: {password}");
        }
        User::List => list(&ledger).await?,
        User::ResetPassword { username } => {
            println!("one-time password: {}", reset(&ledger, &username).await?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a user and gives their one-time password.
pub(super) async fn add(
    ledger: &Ledger,
    actor: Actor,
    username: String,
    display_name: String,
    roles: Vec<Role>,
) -> anyhow::Result<String> {
    let user = CreateUser { username, display_name, roles }.check()?;
    let password = one_time_password()?;
    let password_hash = hash_password(password.clone()).await?;
    let change = ledger.change(actor).await?;
    if models::users::by_name(change.db(), &user.username).await?.is_some() {
        bail!("there is a user of this name already");
    }
    let new = NewUser {
        username: &user.username,
        display_name: &user.display_name,
        password_hash,
        roles: &user.roles,
    };
    let user = models::users::insert(change.db(), new).await?;
    let entry = Entry::of(Action::UserCreated, "user", &user.row.id);
    change.commit(entry.detail("roles", role_words(&user.roles))).await?;
    Ok(password)
}

async fn list(ledger: &Ledger) -> anyhow::Result<()> {
    let records = ledger.read(&actor(), Entry::new(Action::UserRead, "user")).await?;
    let count = models::users::count(records.db()).await?;
    let (users, _) = models::users::list(records.db(), 0, count).await?;
    for user in users {
        let standing = if user.row.disabled { "disabled" } else { "" };
        println!(
            "{}\t{}\t{}\t{standing}",
            user.row.username,
            role_words(&user.roles),
            user.row.display_name
        );
    }
    Ok(())
}

async fn reset(ledger: &Ledger, username: &str) -> anyhow::Result<String> {
    let password = one_time_password()?;
    let hash = hash_password(password.clone()).await?;
    let change = ledger.change(actor()).await?;
    let user = models::users::by_name(change.db(), &canonical_username(username)).await?;
    let id = user.context("there is no user of this name")?.row.id;
    let changes = Changes { password: Some((hash, true)), ..Changes::default() };
    models::users::change(change.db(), &id, changes).await?;
    models::sessions::revoke_user(change.db(), &id, Utc::now()).await?;
    let entry = Entry::of(Action::UserChanged, "user", &id).detail("changed", "password reset");
    change.commit(entry).await?;
    Ok(password)
}

fn actor() -> Actor {
    Actor::system("command-line")
}
