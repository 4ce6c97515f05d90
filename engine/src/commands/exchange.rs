//! `skiagraph-engine dicom echo` and `dicom send`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use skiagraph_engine::device::CancelToken;
use skiagraph_engine::dicom::dicom_files;
use skiagraph_engine::dicom::exchange::{self, Peer, PeerTls, Pem, USUAL_PDU};

use super::Output;

/// Whom to call, and as whom.
#[derive(Args)]
pub(crate) struct PeerArguments {
    /// Host and port of the archive.
    address: String,
    /// The archive's AE title.
    #[arg(long, default_value = "ANY-SCP")]
    called: String,
    /// This side's AE title.
    #[arg(long, default_value = "SKIAGRAPH")]
    calling: String,
    /// Seconds to wait for the archive, each time.
    #[arg(long, default_value_t = 30)]
    timeout: u64,
    /// Use TLS, and trust whoever these certificates (PEM) vouch for.
    #[arg(long, value_name = "FILE")]
    tls_authorities: Option<PathBuf>,
    /// This side's certificate chain (PEM), where the archive asks for one.
    #[arg(long, value_name = "FILE", requires = "tls_authorities", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The key of this side's certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// The name in the archive's certificate, where it is not the address's host.
    #[arg(long, requires = "tls_authorities")]
    tls_name: Option<String>,
}

impl PeerArguments {
    fn peer(self, accepts_synthetic: bool) -> Peer {
        let (server_name, identity) = (self.tls_name, self.tls_certificate.zip(self.tls_key));
        let tls = self.tls_authorities.map(|authorities| PeerTls {
            authorities: Pem::File(authorities),
            identity,
            server_name,
        });
        Peer {
            address: self.address,
            called: self.called,
            calling: self.calling,
            tls,
            timeout: Duration::from_secs(self.timeout.max(1)),
            most_pdu: USUAL_PDU,
            accepts_synthetic,
        }
    }
}

/// What to send, and where.
#[derive(Args)]
pub(crate) struct SendArguments {
    #[command(flatten)]
    peer: PeerArguments,
    /// DICOM files, and folders of them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The archive is one that synthetic objects may be sent to; without it, a synthetic one refuses
    /// all.
    #[arg(long)]
    accepts_synthetic: bool,
}

#[derive(Serialize)]
struct Echoed<'a> {
    address: &'a str,
}

#[derive(Serialize)]
struct Sent<'a> {
    sop_instance_uid: &'a str,
    kept: bool,
    status: Option<String>,
    cause: Option<&'a str>,
}

pub(crate) fn echo(arguments: PeerArguments, output: &Output) -> anyhow::Result<()> {
    let peer = arguments.peer(false);
    exchange::echo(&peer)?;
    let words = format!("{} answers", peer.address);
    output.result("echoed", &Echoed { address: &peer.address }, &words)
}

pub(crate) fn send(arguments: SendArguments, output: &Output) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for path in &arguments.files {
        if path.is_dir() {
            files.extend(dicom_files(path).with_context(|| path.display().to_string())?.0);
        } else {
            files.push(path.clone());
        }
    }
    let peer = arguments.peer.peer(arguments.accepts_synthetic);
    let (mut refused, mut told) = (0, Ok(()));
    exchange::send(
        &peer,
        files.len(),
        &mut |index| std::fs::read(&files[index]),
        &mut |index, outcome| {
            let (status, cause) = match &outcome.status {
                Ok(status) => (Some(format!("{:04X}", status.0)), None),
                Err(cause) => (None, Some(cause.as_str())),
            };
            let kept = outcome.is_kept();
            refused += usize::from(!kept);
            let said = cause.map(str::to_owned).or_else(|| status.clone()).unwrap_or_default();
            let words = format!("{}: {said}", files[index].display());
            let sop_instance_uid = outcome.sop_instance_uid.as_str();
            let sent = Sent { sop_instance_uid, kept, status, cause };
            if told.is_ok() {
                told = output.result("sent", &sent, &words);
            }
        },
        &CancelToken::new(),
    )?;
    told?;
    if refused > 0 {
        bail!("{refused} of {} objects were not kept", files.len());
    }
    Ok(())
}
