//! Both sides of an association, over real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::fixtures::Object;
use super::writing::{description, gradient};
use crate::device::CancelToken;
use crate::dicom::exchange::{
    Caller, ExchangeError, Incoming, Outcome, Peer, Pem, Provider, ProviderOptions, Receive,
    Status, USUAL_PDU, admit, check_authorities, echo, send,
};
use crate::dicom::{read, write_synthetic};

#[derive(Default)]
struct Kept {
    objects: Mutex<Vec<(String, Vec<u8>)>>,
    ended: Mutex<usize>,
}

impl Receive for Kept {
    fn receive(&self, caller: &Caller, object: Incoming) -> (Status, String) {
        let bytes = std::fs::read(&object.file).unwrap();
        assert_eq!(bytes.len() as u64, object.bytes);
        self.objects.lock().unwrap().push((caller.ae_title.clone(), bytes));
        (Status::COERCED, String::new())
    }

    fn ended(&self, _: &Caller) {
        *self.ended.lock().unwrap() += 1;
    }
}

struct Archive {
    address: SocketAddr,
    kept: Arc<Kept>,
    cancel: CancelToken,
    thread: Option<JoinHandle<()>>,
    spool: tempfile::TempDir,
}

impl Archive {
    fn open(change: impl FnOnce(&mut ProviderOptions)) -> Self {
        let spool = tempfile::tempdir().unwrap();
        let mut options = ProviderOptions {
            ae_title: "ARCHIVE".to_owned(),
            calling: vec!["SKIAGRAPH".to_owned()],
            tls: None,
            most_pdu: USUAL_PDU,
            most_associations: 2,
            idle: Duration::from_secs(5),
            object_bytes: 1 << 20,
            spool: spool.path().to_owned(),
        };
        change(&mut options);
        let (kept, cancel) = (Arc::new(Kept::default()), CancelToken::new());
        let receive: Arc<dyn Receive> = Arc::<Kept>::clone(&kept);
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let provider = Provider::bind(local, options, receive).unwrap();
        let address = provider.address().unwrap();
        let thread = std::thread::spawn({
            let cancel = cancel.clone();
            move || provider.run(&cancel)
        });
        Self { address, kept, cancel, thread: Some(thread), spool }
    }

    fn peer(&self) -> Peer {
        Peer {
            address: self.address.to_string(),
            called: "ARCHIVE".to_owned(),
            calling: "SKIAGRAPH".to_owned(),
            tls: None,
            timeout: Duration::from_secs(5),
            most_pdu: USUAL_PDU,
            accepts_synthetic: true,
        }
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.thread.take().unwrap().join().unwrap();
        // Nothing that came stays in the spool once it was handed on or given up.
        assert_eq!(std::fs::read_dir(self.spool.path()).unwrap().count(), 0);
    }
}

fn sent(peer: &Peer, objects: &[Vec<u8>]) -> Result<Vec<Outcome>, ExchangeError> {
    let mut outcomes = Vec::new();
    let read = &mut |index: usize| Ok(objects[index].clone());
    let told = &mut |_, outcome: &Outcome| outcomes.push(outcome.clone());
    send(peer, objects.len(), read, told, &CancelToken::new()).map(|()| outcomes)
}

fn synthetic() -> Vec<u8> {
    write_synthetic(&gradient(61, 40), &description()).unwrap()
}

#[test]
fn an_archive_answers_whom_it_knows() {
    let archive = Archive::open(|_| {});
    echo(&archive.peer()).unwrap();
    for (peer, cause) in [
        (Peer { calling: "STRANGER".to_owned(), ..archive.peer() }, "calling"),
        (Peer { called: "OTHER".to_owned(), ..archive.peer() }, "called"),
    ] {
        let error = echo(&peer).unwrap_err();
        assert!(matches!(error, ExchangeError::Association { .. }), "{error}");
        assert!(error.to_string().to_lowercase().contains(cause), "{error}");
    }
    let nobody = Peer { address: "127.0.0.1:1".to_owned(), ..archive.peer() };
    assert!(matches!(echo(&nobody).unwrap_err(), ExchangeError::Association { .. }));
    let nameless = Peer { calling: " ".to_owned(), ..archive.peer() };
    assert!(matches!(echo(&nameless).unwrap_err(), ExchangeError::Option { .. }));
}

#[test]
fn objects_arrive_as_they_are() {
    // As small as PDUs may be, so that an object takes several.
    let archive = Archive::open(|options| options.most_pdu = 16 << 10);
    let values: Vec<u16> = (0..200 * 100).collect();
    let plain = Object::words(200, &values).text(
        dicom_dictionary_std::tags::SOP_INSTANCE_UID,
        dicom_core::VR::UI,
        "2.25.7",
    );
    let objects = [synthetic(), plain.bytes(), synthetic()];
    let outcomes = sent(&archive.peer(), &objects).unwrap();
    assert_eq!(outcomes.len(), 3);
    assert!(outcomes.iter().all(Outcome::is_kept), "{outcomes:?}");
    assert_eq!(outcomes[1].sop_instance_uid, "2.25.7");
    let kept = archive.kept.objects.lock().unwrap();
    for ((title, received), own) in kept.iter().zip(&objects) {
        assert_eq!(title, "SKIAGRAPH");
        assert_eq!(read(received).unwrap(), read(own).unwrap());
    }
    assert_eq!(kept.len(), 3);
}

#[test]
fn nothing_synthetic_goes_where_it_is_not_wanted() {
    let archive = Archive::open(|_| {});
    let peer = Peer { accepts_synthetic: false, ..archive.peer() };
    let radiograph = Object::words(4, &[0; 16]).bytes();
    let error = sent(&peer, &[radiograph.clone(), synthetic()]).unwrap_err();
    assert!(matches!(error, ExchangeError::Synthetic { number: 2, .. }), "{error}");
    assert!(archive.kept.objects.lock().unwrap().is_empty(), "nobody was asked");
    assert!(sent(&peer, &[radiograph]).unwrap()[0].is_kept());
}

#[test]
fn an_object_that_is_too_large_is_answered_and_the_next_is_taken() {
    let archive = Archive::open(|options| options.object_bytes = 20_000);
    let large = Object::words(200, &vec![1; 200 * 100]).bytes();
    let small = Object::words(4, &[0; 16]).bytes();
    let outcomes = sent(&archive.peer(), &[large, small]).unwrap();
    assert_eq!(outcomes[0].status, Ok(Status::OUT_OF_RESOURCES));
    assert_eq!(outcomes[1].status, Ok(Status::COERCED));
}

#[test]
fn there_are_so_many_associations_and_no_more() {
    let archive = Archive::open(|options| options.most_associations = 1);
    // Somebody who says nothing holds the only seat.
    let silent = TcpStream::connect(archive.address).unwrap();
    let until = Instant::now() + Duration::from_secs(5);
    let refused = loop {
        match echo(&archive.peer()) {
            Err(error) => break error,
            // The seat is taken once the provider has seen the caller.
            Ok(()) => assert!(Instant::now() < until, "a second association was let in"),
        }
    };
    assert!(refused.to_string().to_lowercase().contains("limit"), "{refused}");
    drop(silent);
    while echo(&archive.peer()).is_err() {
        assert!(Instant::now() < until + Duration::from_secs(5), "the seat is never free again");
    }
}

#[test]
fn who_is_silent_or_talks_nonsense_is_hung_up_on() {
    let archive = Archive::open(|options| options.idle = Duration::from_millis(300));
    let mut silent = TcpStream::connect(archive.address).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let began = Instant::now();
    let mut nothing = [0; 1];
    assert_eq!(silent.read(&mut nothing).unwrap_or(0), 0);
    assert!(began.elapsed() < Duration::from_secs(4));
    for nonsense in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        // A request for an association that would take four gigabytes.
        &[1, 0, 0xFF, 0xFF, 0xFF, 0xFE, 0, 1],
        // Data before there is an association.
        &[4, 0, 0, 0, 0, 6, 0, 0, 0, 2, 1, 3],
    ] {
        let mut stream = TcpStream::connect(archive.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(nonsense).unwrap();
        let mut answer = Vec::new();
        // Hung up on, with an A-ABORT or without a word.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer[0] == 7, "{answer:?}");
    }
    echo(&archive.peer()).unwrap();
}

#[test]
fn the_rule_for_what_is_sent_holds_by_whatever_means() {
    let synthetic = write_synthetic(&gradient(40, 30), &description()).unwrap();
    let admitted = admit(1, &synthetic, "web", true).unwrap();
    assert!(admitted.synthetic && !admitted.instance.is_empty());
    let refused = admit(3, &synthetic, "web", false);
    assert!(matches!(refused, Err(ExchangeError::Synthetic { number: 3, peer }) if peer == "web"));
    assert!(matches!(admit(2, b"none", "web", true), Err(ExchangeError::Object { number: 2, .. })));
}

/// PS3.18 annex I.2 and PS3.4 table B.2-1.
#[test]
fn a_status_says_what_it_means() {
    for (code, words) in [
        (0xA701, "A701 (out of resources)"),
        (0xA900, "A900 (data set does not match its SOP class)"),
        (0xC000, "C000 (cannot be understood)"),
        (0xC122, "C122 (transfer syntax not supported)"),
        (0x0122, "0122 (SOP class not supported)"),
        (0x0110, "0110 (processing failure)"),
        (0xB000, "B000 (coercion of data elements)"),
        (0x1234, "1234 (a reason of the archive's own)"),
    ] {
        assert_eq!(Status(code).to_string(), words);
    }
}

#[test]
fn what_is_no_certificate_vouches_for_nobody() {
    for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let refused = check_authorities("authorities", &Pem::Text(text.to_owned()));
        let field = "authorities";
        assert!(matches!(refused, Err(ExchangeError::Option { field: f, .. }) if f == field));
    }
}
