//! Associations with dcmtk's programs, plain and by TLS: they call the receiver, and the engine's command
//! line calls them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use skiagraph_engine::dicom;

use crate::harness::Server;
use crate::harness::objects::objects;
use crate::harness::server::{free_port, program};

/// An authority and a certificate for this machine, made by OpenSSL for a day.
pub(super) struct Certificates(tempfile::TempDir);

impl Certificates {
    /// `None` where OpenSSL is not installed.
    pub(super) fn make() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let run = |words: &str| {
            let done = Command::new("openssl")
                .args(words.split(' '))
                .current_dir(folder.path())
                .output()
                .ok()?;
            assert!(done.status.success(), "{words}: {}", String::from_utf8_lossy(&done.stderr));
            Some(())
        };
        run("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=Test -days 1")?;
        run("req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=localhost")?;
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
        std::fs::write(folder.path().join("names"), names).unwrap();
        run("x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 \
             -extfile names -out certificate.pem")?;
        Some(Self(folder))
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }
}

fn has_dcmtk() -> bool {
    let there = Command::new("storescu").arg("--version").output().is_ok();
    if !there {
        println!("SKIPPED: dcmtk is not installed; `make test` installs it");
    }
    there
}

fn said(done: &Output) -> String {
    String::from_utf8_lossy(&[done.stdout.as_slice(), &done.stderr].concat()).into_owned()
}

/// Runs one of dcmtk's programs against a port of this machine.
fn call(program: &str, options: &[&str], port: u16, file: Option<&Path>) -> Output {
    Command::new(program)
        .args(options)
        .args(["localhost", &port.to_string()])
        .args(file)
        .output()
        .unwrap()
}

/// A platform whose receiver knows `DCMTK`, with more settings of TLS.
async fn receiver(port: u16, tls: &str) -> Server {
    let settings =
        format!("{{bind=\"127.0.0.1:{port}\",calling_ae_titles=[\"DCMTK\"],user=\"keeper\"{tls}}}");
    Server::start_with(&[("SKIAGRAPH_RECEIVER", &settings)]).await
}

#[tokio::test]
async fn dcmtk_calls_the_receiver() {
    if !has_dcmtk() {
        return;
    }
    let port = free_port();
    let server = receiver(port, "").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.dcm");
    let original = objects().swap_remove(0).1;
    std::fs::write(&file, &original).unwrap();
    let known = ["-aet", "DCMTK", "-aec", "SKIAGRAPH"];
    let done = call("echoscu", &known, port, None);
    assert!(done.status.success(), "{}", said(&done));
    for stranger in [["-aet", "OTHER", "-aec", "SKIAGRAPH"], ["-aet", "DCMTK", "-aec", "OTHER"]] {
        assert!(!call("echoscu", &stranger, port, None).status.success(), "{stranger:?}");
    }

    // Nobody's objects are not kept; those of an ML engineer are.
    assert!(!call("storescu", &known, port, Some(&file)).status.success());
    let keeper = server.user_named("keeper", &["ml_engineer"]).await;
    let done = call("storescu", &known, port, Some(&file));
    assert!(done.status.success(), "{}\n{}", said(&done), server.log());
    let (_, kept) = keeper.get("/radiographs").await;
    assert_eq!(kept["total"], 1, "{kept}");
    let id = kept["items"][0]["id"].as_str().unwrap();
    let bytes = keeper.bytes(&format!("/radiographs/{id}/file")).await;
    assert_eq!(dicom::read(&bytes).unwrap().frame, dicom::read(&original).unwrap().frame);
    assert!(!server.log().contains(crate::harness::objects::PLANTED));

    // Several objects of one association are one upload.
    for (index, (_, bytes)) in objects().into_iter().take(3).enumerate() {
        std::fs::write(folder.path().join(format!("{index}.dcm")), bytes).unwrap();
    }
    let options = [&known[..], &["+sd", "+r"]].concat();
    std::fs::remove_file(&file).unwrap();
    let done = call("storescu", &options, port, Some(folder.path()));
    assert!(done.status.success(), "{}", said(&done));
    let (_, uploads) = keeper.get("/uploads").await;
    assert_eq!(uploads["items"][0]["radiograph_count"], json!(3), "{uploads}");
}

#[tokio::test]
async fn dcmtk_calls_the_receiver_by_tls() {
    let Some(certificates) = Certificates::make().filter(|_| has_dcmtk()) else { return };
    let port = free_port();
    let (ca, certificate, key) = (
        certificates.path("ca.pem"),
        certificates.path("certificate.pem"),
        certificates.path("key.pem"),
    );
    let tls =
        format!(",tls={{certificate=\"{certificate}\",key=\"{key}\",client_authorities=\"{ca}\"}}");
    let server = receiver(port, &tls).await;
    let keeper = server.user_named("keeper", &["ml_engineer"]).await;
    let known = ["-aet", "DCMTK", "-aec", "SKIAGRAPH"];
    let with = ["+tls", &key, &certificate, "+cf", &ca];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.dcm");
    std::fs::write(&file, objects().swap_remove(0).1).unwrap();
    let done = call("storescu", &[&known[..], &with].concat(), port, Some(&file));
    assert!(done.status.success(), "{}\n{}", said(&done), server.log());
    assert_eq!(keeper.get("/radiographs").await.1["total"], 1);
    // Without TLS, and without a certificate that somebody vouches for.
    assert!(!call("echoscu", &known, port, None).status.success());
    let nameless = [&known[..], &["+tla", "+cf", &ca]].concat();
    assert!(!call("echoscu", &nameless, port, None).status.success());
}

/// dcmtk's archive, until it is dropped.
struct Storescp {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Storescp {
    fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let process = Command::new("storescp")
            .args(options)
            .arg("-od")
            .arg(folder.path())
            .args(["-aet", "DCMTK", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, folder, port }
    }

    /// Calls it by the engine's command line until it listens.
    fn echo(&self, options: &[&str]) -> Output {
        let started = Instant::now();
        loop {
            let done = self.call("echo", options, None);
            let early = said(&done).contains("refused");
            if !early || started.elapsed() > Duration::from_secs(20) {
                return done;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn call(&self, verb: &str, options: &[&str], file: Option<&Path>) -> Output {
        Command::new(program("skiagraph-engine"))
            .args(["--json", "dicom", verb, "--called", "DCMTK"])
            .args(options)
            .arg(format!("localhost:{}", self.port))
            .args(file)
            .output()
            .unwrap()
    }

    fn kept(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Storescp {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn the_command_line_calls_dcmtk() {
    if !has_dcmtk() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.dcm");
    let original = objects().swap_remove(0).1;
    std::fs::write(&file, &original).unwrap();
    let check = |archive: &Storescp, options: &[&str]| {
        let done = archive.echo(options);
        assert!(done.status.success(), "{}", said(&done));
        let done = archive.call("send", options, Some(&file));
        assert!(done.status.success(), "{}", said(&done));
        let kept = archive.kept();
        assert_eq!(kept.len(), 1);
        let kept = dicom::read(&std::fs::read(&kept[0]).unwrap()).unwrap();
        assert_eq!(kept.frame, dicom::read(&original).unwrap().frame);
    };
    check(&Storescp::start(&[]), &[]);
    // An archive of old, which takes Implicit VR alone.
    check(&Storescp::start(&["+xi"]), &[]);
    let Some(certificates) = Certificates::make() else { return };
    let (ca, certificate, key) = (
        certificates.path("ca.pem"),
        certificates.path("certificate.pem"),
        certificates.path("key.pem"),
    );
    let secured = Storescp::start(&["+tls", &key, &certificate, "+cf", &ca]);
    let options = ["--tls-authorities", &ca, "--tls-certificate", &certificate, "--tls-key", &key];
    check(&secured, &options);
    let plain = secured.call("echo", &[], None);
    assert!(!plain.status.success());
}
