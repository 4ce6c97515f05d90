//! Archives that images may be sent to, on the wire. What opens one comes in and never goes out.

use chrono::Utc;
use serde::{Deserialize, Serialize};
use skiagraph_engine::dicom::exchange::{self, ExchangeError, Pem};
use url::{Host, Url};
use utoipa::ToSchema;

use super::checks::Checks;
use super::limits;
use crate::config::OWN_TITLE;
use crate::destinations::Known;
use crate::entities::destinations::Model;
use crate::error::{ApiError, FieldError};
use crate::models::destinations::{Authentication, DestinationKind};

/// Seconds to wait for an archive where nobody says otherwise.
const USUAL_TIMEOUT: i32 = 30;

/// An archive that images may be sent to.
#[derive(Debug, Serialize, ToSchema)]
pub struct DestinationView {
    /// Its name.
    pub name: String,
    /// By what it is spoken with.
    pub kind: DestinationKind,
    /// Host and port; of DICOMweb, the address of the service.
    pub address: String,
    /// Its AE title, of DIMSE.
    pub ae_title: Option<String>,
    /// This platform's, as the archive knows it, of DIMSE.
    pub calling_ae_title: Option<String>,
    /// Whether it takes synthetic images; without that nothing is sent there.
    pub accepts_synthetic: bool,
    /// Whether the way there is secured by TLS.
    pub tls: bool,
    /// Certificates (PEM) of whoever may vouch for it, where it is a record; for administrators.
    pub authorities: Option<String>,
    /// The name in its certificate, where it is not the address's host.
    pub server_name: Option<String>,
    /// Seconds to wait for it, each time.
    pub timeout_seconds: u64,
    /// How the platform says who it is, of DICOMweb.
    pub authentication: Authentication,
    /// The name to log in with; for administrators.
    pub username: Option<String>,
    /// Whether it stands in the configuration, and is changed there alone.
    pub configured: bool,
}

impl DestinationView {
    /// An archive as it is shown; `whole` to administrators.
    ///
    /// # Errors
    /// Where a record holds a word that is none.
    pub fn of(name: String, known: &Known, whole: bool) -> Result<Self, String> {
        match known {
            Known::Configured(destination) => Ok(Self {
                name,
                kind: DestinationKind::Dimse,
                address: destination.address.clone(),
                ae_title: Some(destination.ae_title.clone()),
                calling_ae_title: Some(destination.calling_ae_title.clone()),
                accepts_synthetic: destination.accepts_synthetic,
                tls: destination.tls.is_some(),
                authorities: None,
                server_name: destination.tls.as_ref().and_then(|tls| tls.server_name.clone()),
                timeout_seconds: destination.timeout_seconds,
                authentication: Authentication::None,
                username: None,
                configured: true,
            }),
            Known::Record(model) => Ok(Self {
                name,
                kind: kind(model)?,
                address: model.address.clone(),
                ae_title: model.ae_title.clone(),
                calling_ae_title: model.calling_ae_title.clone(),
                accepts_synthetic: model.accepts_synthetic,
                tls: model.tls,
                authorities: model.authorities.clone().filter(|_| whole),
                server_name: model.server_name.clone(),
                timeout_seconds: u64::from(model.timeout_seconds.unsigned_abs()),
                authentication: authentication(model)?,
                username: model.username.clone().filter(|_| whole),
                configured: false,
            }),
        }
    }
}

fn kind(model: &Model) -> Result<DestinationKind, String> {
    DestinationKind::parse(&model.kind).ok_or_else(|| "an unknown kind of archive".to_owned())
}

fn authentication(model: &Model) -> Result<Authentication, String> {
    let known = Authentication::parse(&model.authentication);
    known.ok_or_else(|| "an unknown authentication".to_owned())
}

/// What came of asking an archive whether it is there.
#[derive(Debug, Serialize, ToSchema)]
pub struct EchoView {
    /// Whether it answered with success.
    pub answered: bool,
    /// Why not.
    pub cause: Option<String>,
}

/// An archive to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDestination {
    /// Its name, which stays: 1 to 64 of letters, digits, `.`, `-`, `_`, a letter or digit first.
    pub name: String,
    /// How it is reached.
    pub settings: DestinationSettings,
}

/// How an archive is reached, and whether it may be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DestinationSettings {
    /// By what it is spoken with.
    pub kind: DestinationKind,
    /// Of DIMSE, host and port: `pacs.example:11112`. Of DICOMweb, the address of the service:
    /// `https://pacs.example/dicom-web`.
    pub address: String,
    /// Whether synthetic images may be sent there: an archive of patients is none of these.
    pub accepts_synthetic: bool,
    /// Its AE title; DIMSE alone, and needed there.
    pub ae_title: Option<String>,
    /// This platform's, as the archive knows it; DIMSE alone, `SKIAGRAPH` where it is absent.
    pub calling_ae_title: Option<String>,
    /// Whether the association is secured by TLS; DIMSE alone. DICOMweb always is.
    pub tls: Option<bool>,
    /// Certificates (PEM) of whoever may vouch for the archive. DIMSE by TLS needs them; for DICOMweb,
    /// those of this machine count where they are absent.
    pub authorities: Option<String>,
    /// The name in the archive's certificate, where it is not the address's host; DIMSE by TLS alone.
    pub server_name: Option<String>,
    /// Seconds to wait for the archive, each time: 1 to 600, 30 where it is absent.
    pub timeout_seconds: Option<i64>,
    /// How the platform says who it is; DICOMweb alone.
    pub authentication: Option<Authentication>,
    /// The name to log in with; `basic` alone.
    pub username: Option<String>,
    /// The token or password. It is kept in a file of the platform's and is in no answer. Left out in a
    /// change, the one from before stays.
    #[schema(format = Password)]
    pub secret: Option<String>,
}

impl std::fmt::Debug for DestinationSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DestinationSettings").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Settings whose every field is known to fit the others. Their secret may still be missing.
pub struct Settings {
    kind: DestinationKind,
    address: String,
    accepts_synthetic: bool,
    ae_title: Option<String>,
    calling_ae_title: Option<String>,
    tls: bool,
    authorities: Option<String>,
    server_name: Option<String>,
    timeout_seconds: i32,
    authentication: Authentication,
    username: Option<String>,
    secret: Option<String>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl NewDestination {
    /// The name and the settings, or everything that is wrong with them. What opens the archive must
    /// be there.
    pub fn checked(self) -> Result<(String, Settings), Vec<FieldError>> {
        let mut checks = Checks::new();
        let name = self.name.trim().to_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        let fits = limits::DESTINATION.contains(&name.len()) && name.chars().all(plain);
        let first = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        let cause = "must be 1 to 64 letters, digits, '.', '-' and '_', a letter or digit first";
        checks.holds(fits && first, "name", cause);
        let settings = self.settings.read(&mut checks, "settings.");
        let missing = settings.authentication != Authentication::None && settings.secret.is_none();
        checks.holds(!missing, "settings.secret", "is needed to log in");
        checks.finish((name, settings))
    }
}

impl DestinationSettings {
    /// The same for an archive that is there, or everything that is wrong with them.
    pub fn checked(self) -> Result<Settings, Vec<FieldError>> {
        let mut checks = Checks::new();
        let settings = self.read(&mut checks, "");
        checks.finish(settings)
    }

    fn read(self, checks: &mut Checks, at: &str) -> Settings {
        let field = |name: &str| format!("{at}{name}");
        let some = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let dimse = self.kind == DestinationKind::Dimse;
        let address = checks.text(&field("address"), &self.address, &limits::ADDRESS);
        let address = match self.kind {
            DestinationKind::Dimse => {
                let cause = "must be host and port, for example pacs.example:11112";
                checks.holds(is_host_and_port(&address), &field("address"), cause);
                address
            }
            DestinationKind::Dicomweb => service(&address).unwrap_or_else(|cause| {
                checks.fault(field("address"), cause);
                address
            }),
        };
        let (tls, server_name) = (self.tls.unwrap_or(!dimse), some(self.server_name));
        let authentication = self.authentication.unwrap_or(Authentication::None);
        let (username, secret) = (some(self.username), some(self.secret));
        let (ae_title, calling) = (some(self.ae_title), some(self.calling_ae_title));
        let authorities = some(self.authorities);
        for (given, fits, name, cause) in [
            (ae_title.is_some(), dimse, "ae_title", "belongs to DIMSE alone"),
            (calling.is_some(), dimse, "calling_ae_title", "belongs to DIMSE alone"),
            (server_name.is_some(), dimse && tls, "server_name", "belongs to DIMSE by TLS alone"),
            (!tls, dimse, "tls", "cannot be left out of DICOMweb"),
            (authorities.is_some(), tls, "authorities", "belong to TLS"),
            (
                authentication != Authentication::None,
                !dimse,
                "authentication",
                "belongs to DICOMweb alone",
            ),
            (
                username.is_some(),
                authentication == Authentication::Basic,
                "username",
                "belongs to a login by name and password alone",
            ),
            (
                secret.is_some(),
                authentication != Authentication::None,
                "secret",
                "belongs to a login alone",
            ),
        ] {
            checks.holds(!given || fits, &field(name), cause);
        }
        if dimse {
            checks.holds(ae_title.is_some(), &field("ae_title"), "is needed for DIMSE");
            checks.holds(
                !tls || authorities.is_some(),
                &field("authorities"),
                "are needed for TLS",
            );
        }
        for (name, title) in [("ae_title", &ae_title), ("calling_ae_title", &calling)] {
            if let Some(title) = title {
                let checked = exchange::check_ae_title("ae_title", title);
                told(checks, &field(name), checked);
            }
        }
        if let Some(text) = &authorities {
            checks.text(&field("authorities"), text, &limits::AUTHORITIES);
            let pem = Pem::Text(text.clone());
            let checked = exchange::check_authorities("authorities", &pem);
            let cause = "cannot be read as certificates (PEM, from BEGIN CERTIFICATE on)";
            checks.holds(checked.is_ok(), &field("authorities"), cause);
        }
        if let Some(name) = &server_name {
            let host = matches!(Host::parse(name), Ok(Host::Domain(_)));
            checks.holds(host, &field("server_name"), "must be the name of a host");
        }
        if authentication == Authentication::Basic {
            let name = username.as_deref().unwrap_or_default();
            let name = checks.text(&field("username"), name, &limits::USERNAME);
            // A colon ends the name (RFC 7617).
            checks.holds(!name.contains(':'), &field("username"), "must not hold a colon");
        }
        if let Some(secret) = &secret {
            let range = &limits::SECRET;
            let fits = range.contains(&secret.len()) && !secret.chars().any(char::is_control);
            let cause = format!("must have 1 to {} bytes, in one line", range.end());
            checks.holds(fits, &field("secret"), &cause);
            // What stands in a header by itself (RFC 6750 2.1).
            let token = authentication != Authentication::Bearer
                || secret.chars().all(|c| c.is_ascii_graphic());
            checks.holds(token, &field("secret"), "a token has letters, digits and signs alone");
        }
        let timeout_seconds = self.timeout_seconds.unwrap_or_else(|| i64::from(USUAL_TIMEOUT));
        let timeout_seconds =
            checks.integer(&field("timeout_seconds"), timeout_seconds, &limits::TIMEOUT);
        let own = || OWN_TITLE.to_owned();
        Settings {
            kind: self.kind,
            address,
            accepts_synthetic: self.accepts_synthetic,
            ae_title,
            calling_ae_title: dimse.then(|| calling.unwrap_or_else(own)),
            tls,
            authorities,
            server_name,
            timeout_seconds,
            authentication,
            username,
            secret,
        }
    }
}

impl Settings {
    /// Whether the archive keeps what has opened it until now. It does where none is given anew, it
    /// logs in the same way, and stays where it is: nobody shall send a secret elsewhere that they do
    /// not know.
    pub fn keeps_secret_of(&self, before: &Model) -> Result<bool, ApiError> {
        if self.authentication == Authentication::None || self.secret.is_some() {
            return Ok(false);
        }
        if before.secret.is_none() || before.authentication != self.authentication.word() {
            return Err(ApiError::invalid("secret", "is needed to log in"));
        }
        let origin = |address: &str| Url::parse(address).ok().map(|url| url.origin());
        let stays = origin(&before.address) == origin(&self.address)
            && before.username == self.username
            && before.authorities == self.authorities;
        if stays {
            return Ok(true);
        }
        let cause =
            "must be given again: the address, the name or who vouches for the archive changes";
        Err(ApiError::invalid("secret", cause))
    }

    /// What opens the archive, apart from the rest.
    pub fn without_secret(self) -> (Self, Option<String>) {
        let secret = self.secret.clone();
        (Self { secret: None, ..self }, secret)
    }

    /// The record; `secret` names the file of what opens it.
    pub fn model(self, name: String, secret: Option<String>, created_by: &str) -> Model {
        Model {
            name,
            kind: self.kind.word().to_owned(),
            address: self.address,
            accepts_synthetic: self.accepts_synthetic,
            ae_title: self.ae_title,
            calling_ae_title: self.calling_ae_title,
            server_name: self.server_name,
            tls: self.tls,
            authorities: self.authorities,
            timeout_seconds: self.timeout_seconds,
            authentication: self.authentication.word().to_owned(),
            username: self.username,
            secret,
            created_by: created_by.to_owned(),
            created_at: Utc::now(),
        }
    }
}

/// The engine's word about a setting, under the API's name for it.
fn told(checks: &mut Checks, field: &str, checked: Result<(), ExchangeError>) {
    match checked {
        Ok(()) => {}
        Err(ExchangeError::Option { cause, .. }) => checks.fault(field, cause),
        Err(_) => checks.fault(field, "cannot be used"),
    }
}

/// `host:port`, an IPv6 address in brackets.
fn is_host_and_port(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    port.parse::<u16>().is_ok_and(|port| port > 0) && Host::parse(host).is_ok()
}

/// The address of a DICOMweb service, without the slash at its end.
fn service(address: &str) -> Result<String, &'static str> {
    let url = Url::parse(address)
        .map_err(|_| "must be an address, for example https://pacs.example/dicom-web")?;
    if url.scheme() != "https" {
        return Err("must begin with https://, so that nobody reads it on the way");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must hold no name and no password: they have fields of their own");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end with the path of the service");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests;
