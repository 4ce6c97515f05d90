//! An association from its request to its end, on whatever carries it.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};

use bytes::BytesMut;
use dicom_ul::association::read_pdu_from_wire;
use dicom_ul::pdu::{
    AbortRQServiceProviderReason, AbortRQSource, AssociationAC, AssociationRJ, AssociationRJResult,
    AssociationRJServiceProviderPresentationReason, AssociationRJServiceUserReason,
    AssociationRJSource, AssociationRQ, PDataValue, PDataValueType, Pdu, PresentationContextResult,
    PresentationContextResultReason, UserVariableItem, write_pdu,
};
use tempfile::TempPath;

use super::super::meta::{Contents, IMPLEMENTATION, IMPLEMENTATION_CLASS};
use super::super::{class, meta, pixels};
use super::association::{Gathered, command_pdu};
use super::command::{C_ECHO_RQ, C_STORE_RQ, Command, RESPONSE};
use super::provider::{Caller, Incoming, Shared};
use super::{Status, VERIFICATION, words};

/// DICOM Application Context Name (PS3.7 A.2.1).
const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
/// Version of the upper layer protocol (PS3.8 9.3.2).
const PROTOCOL: u16 = 1;

/// A presentation context that was agreed upon.
struct Context {
    id: u8,
    class: String,
    transfer_syntax: String,
}

struct Association<'a, S> {
    shared: &'a Shared,
    stream: S,
    buffer: BytesMut,
    caller: Caller,
    contexts: Vec<Context>,
    gathered: Gathered,
    store: Option<Store>,
}

/// An object on its way in.
struct Store {
    request: Command,
    context: u8,
    class: String,
    instance: String,
    /// Where it is written; `None` once it is clear that it is not kept.
    spooled: Option<Spooled>,
    /// Why it is not kept.
    fault: Option<(Status, &'static str)>,
}

struct Spooled {
    file: BufWriter<File>,
    path: TempPath,
    bytes: u64,
}

/// Answers an association; `full` where there is no room for it. Returns why it did not end well.
pub(super) fn serve<S: Read + Write>(
    shared: &Shared,
    stream: S,
    mut caller: Caller,
    full: bool,
) -> Result<(), String> {
    let buffer = BytesMut::new();
    let mut association = Association {
        shared,
        stream,
        buffer,
        caller: caller.clone(),
        contexts: Vec::new(),
        gathered: Gathered::default(),
        store: None,
    };
    let Pdu::AssociationRQ(request) = association.read()? else {
        return Err(association.abort("no request for an association"));
    };
    if let Some(source) = refusal(shared, &request, full) {
        let result = match source {
            AssociationRJSource::ServiceProviderPresentation(_) => AssociationRJResult::Transient,
            AssociationRJSource::ServiceUser(_) | AssociationRJSource::ServiceProviderASCE(_) => {
                AssociationRJResult::Permanent
            }
        };
        let words = format!("rejected: {source:?}");
        association.write(&Pdu::AssociationRJ(AssociationRJ { result, source }))?;
        return Err(words);
    }
    request.calling_ae_title.trim().clone_into(&mut caller.ae_title);
    association.caller = caller;
    association.accept(request)?;
    let outcome = association.messages();
    association.shared.receive.ended(&association.caller);
    outcome
}

/// Why a request for an association is turned down.
fn refusal(shared: &Shared, request: &AssociationRQ, full: bool) -> Option<AssociationRJSource> {
    use AssociationRJServiceUserReason as Reason;
    let by_user = |reason| Some(AssociationRJSource::ServiceUser(reason));
    if full {
        let reason = AssociationRJServiceProviderPresentationReason::LocalLimitExceeded;
        return Some(AssociationRJSource::ServiceProviderPresentation(reason));
    }
    if request.protocol_version & PROTOCOL == 0 {
        return by_user(Reason::NoReasonGiven);
    }
    if request.application_context_name.trim_end_matches('\0') != APPLICATION_CONTEXT {
        return by_user(Reason::ApplicationContextNameNotSupported);
    }
    if request.called_ae_title.trim() != shared.options.ae_title.trim() {
        return by_user(Reason::CalledAETitleNotRecognized);
    }
    let calling = request.calling_ae_title.trim();
    if !shared.options.calling.iter().any(|known| known.trim() == calling) {
        return by_user(Reason::CallingAETitleNotRecognized);
    }
    None
}

impl<S: Read + Write> Association<'_, S> {
    fn read(&mut self) -> Result<Pdu, String> {
        let most = self.shared.options.most_pdu;
        read_pdu_from_wire(&mut self.stream, &mut self.buffer, most, true)
            .map_err(|error| words(&error))
    }

    fn write(&mut self, pdu: &Pdu) -> Result<(), String> {
        let mut bytes = Vec::new();
        write_pdu(&mut bytes, pdu).map_err(|error| words(&error))?;
        let written = self.stream.write_all(&bytes).and_then(|()| self.stream.flush());
        written.map_err(|error| error.to_string())
    }

    /// Breaks the association off; gives the cause.
    fn abort(&mut self, cause: &str) -> String {
        let reason = AbortRQServiceProviderReason::UnexpectedPdu;
        let source = AbortRQSource::ServiceProvider(reason);
        match self.write(&Pdu::AbortRQ { source }) {
            Ok(()) => cause.to_owned(),
            Err(error) => format!("{cause}; {error}"),
        }
    }

    /// Agrees upon presentation contexts: of each, the first transfer syntax that is read here.
    fn accept(&mut self, request: AssociationRQ) -> Result<(), String> {
        use PresentationContextResultReason as Reason;
        let mut results = Vec::with_capacity(request.presentation_contexts.len());
        for proposed in request.presentation_contexts {
            let name = proposed.abstract_syntax.trim_end_matches(['\0', ' ']);
            let known = name == VERIFICATION || class::storage_classes().any(|uid| uid == name);
            let mut syntaxes = proposed.transfer_syntaxes.iter();
            let syntax = syntaxes.find_map(|syntax| {
                let syntax = syntax.trim_end_matches(['\0', ' ']);
                pixels::transfer_syntaxes().find(|uid| *uid == syntax)
            });
            let (reason, transfer_syntax) = match (known, syntax) {
                (true, Some(syntax)) => (Reason::Acceptance, syntax),
                // The transfer syntax of what is turned down says nothing (PS3.8 9.3.3.2).
                (true, None) => (Reason::TransferSyntaxesNotSupported, "1.2.840.10008.1.2"),
                (false, _) => (Reason::AbstractSyntaxNotSupported, "1.2.840.10008.1.2"),
            };
            if reason == Reason::Acceptance {
                self.contexts.push(Context {
                    id: proposed.id,
                    class: name.to_owned(),
                    transfer_syntax: transfer_syntax.to_owned(),
                });
            }
            let transfer_syntax = transfer_syntax.to_owned();
            results.push(PresentationContextResult { id: proposed.id, reason, transfer_syntax });
        }
        self.write(&Pdu::AssociationAC(AssociationAC {
            protocol_version: PROTOCOL,
            calling_ae_title: request.calling_ae_title,
            called_ae_title: request.called_ae_title,
            application_context_name: APPLICATION_CONTEXT.to_owned(),
            presentation_contexts: results,
            user_variables: vec![
                UserVariableItem::MaxLength(self.shared.options.most_pdu),
                UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS.to_owned()),
                UserVariableItem::ImplementationVersionName(IMPLEMENTATION.to_owned()),
            ],
        }))
    }

    fn messages(&mut self) -> Result<(), String> {
        loop {
            match self.read()? {
                Pdu::PData { data } => {
                    for value in data {
                        self.value(&value)?;
                    }
                }
                Pdu::ReleaseRQ => return self.write(&Pdu::ReleaseRP),
                Pdu::AbortRQ { .. } => return Err("the caller aborted it".to_owned()),
                Pdu::Unknown { .. }
                | Pdu::AssociationRQ(_)
                | Pdu::AssociationAC(_)
                | Pdu::AssociationRJ(_)
                | Pdu::ReleaseRP => return Err(self.abort("a PDU out of its place")),
            }
        }
    }

    fn value(&mut self, value: &PDataValue) -> Result<(), String> {
        match value.value_type {
            PDataValueType::Command if self.store.is_some() => {
                Err(self.abort("a command inside of a data set"))
            }
            PDataValueType::Command => match self.gathered.take(value) {
                Ok(None) => Ok(()),
                Ok(Some(command)) => self.command(value.presentation_context_id, command),
                Err(cause) => Err(self.abort(cause)),
            },
            PDataValueType::Data => {
                let Some(store) = &mut self.store else {
                    return Err(self.abort("a data set that no command told of"));
                };
                if store.context != value.presentation_context_id {
                    return Err(self.abort("a data set in another presentation context"));
                }
                store.take(&value.data, self.shared.options.object_bytes);
                if value.is_last { self.stored() } else { Ok(()) }
            }
        }
    }

    fn command(&mut self, context: u8, command: Command) -> Result<(), String> {
        let Some(agreed) = self.contexts.iter().find(|agreed| agreed.id == context) else {
            return Err(self.abort("a command in a presentation context that was not agreed upon"));
        };
        match command.field() {
            Some(C_ECHO_RQ) if !command.has_data() => {
                let response = command.response(Status::SUCCESS, "");
                self.write(&command_pdu(context, &response))
            }
            Some(C_STORE_RQ) if command.has_data() => {
                let Some((class, instance)) = command.class().zip(command.instance()) else {
                    return Err(self.abort("a request to store without usable UIDs"));
                };
                let mismatch = (class != agreed.class)
                    .then_some((Status::CLASS_MISMATCH, "not the class that was agreed upon"));
                let syntax = agreed.transfer_syntax.as_str();
                let mut store = Store {
                    request: command,
                    context,
                    class,
                    instance,
                    spooled: None,
                    fault: mismatch,
                };
                if store.fault.is_none() {
                    let sender = self.caller.ae_title.as_str();
                    let opened = store.open(&self.shared.options.spool, syntax, sender);
                    if let Err(error) = opened {
                        tracing::error!(%error, "an object cannot be spooled");
                        store.fault = Some((Status::OUT_OF_RESOURCES, "no room for the object"));
                    }
                }
                self.store = Some(store);
                Ok(())
            }
            // C-CANCEL and answers to nothing want no answer.
            Some(field) if field & RESPONSE != 0 || field == 0x0FFF => Ok(()),
            _ if command.has_data() => Err(self.abort("a request of a kind that is not served")),
            _ => {
                let response = command.response(Status::UNRECOGNIZED, "");
                self.write(&command_pdu(context, &response))
            }
        }
    }

    /// The data set is whole: hands the object on and answers.
    fn stored(&mut self) -> Result<(), String> {
        let Some(store) = self.store.take() else { return Ok(()) };
        let (context, request) = (store.context, store.request.clone());
        let (status, comment) = match store.finish() {
            Ok(object) => self.shared.receive.receive(&self.caller, object),
            Err((status, comment)) => (status, comment.to_owned()),
        };
        self.write(&command_pdu(context, &request.response(status, &comment)))
    }
}

impl Store {
    /// Begins the file in the spool.
    fn open(
        &mut self,
        spool: &std::path::Path,
        transfer_syntax: &str,
        sender: &str,
    ) -> io::Result<()> {
        let contents = Contents {
            class: &self.class,
            instance: &self.instance,
            transfer_syntax,
            sender: Some(sender),
        };
        let head = meta::head(contents).map_err(io::Error::other)?;
        let (file, path) = tempfile::NamedTempFile::new_in(spool)?.into_parts();
        let mut file = BufWriter::new(file);
        file.write_all(&head)?;
        self.spooled = Some(Spooled { file, path, bytes: head.len() as u64 });
        Ok(())
    }

    /// Takes a fragment of the data set; what is not kept is read over, for the answer comes at its end.
    fn take(&mut self, fragment: &[u8], most: u64) {
        let Some(spooled) = &mut self.spooled else { return };
        spooled.bytes += fragment.len() as u64;
        if spooled.bytes > most {
            self.spooled = None;
            self.fault = Some((Status::OUT_OF_RESOURCES, "the object is larger than allowed"));
        } else if let Err(error) = spooled.file.write_all(fragment) {
            tracing::error!(%error, "an object cannot be spooled");
            self.spooled = None;
            self.fault = Some((Status::OUT_OF_RESOURCES, "no room for the object"));
        }
    }

    fn finish(self) -> Result<Incoming, (Status, &'static str)> {
        let no_room = (Status::OUT_OF_RESOURCES, "no room for the object");
        let Some(mut spooled) = self.spooled else { return Err(self.fault.unwrap_or(no_room)) };
        if let Err(error) = spooled.file.flush() {
            tracing::error!(%error, "an object cannot be spooled");
            return Err(no_room);
        }
        Ok(Incoming {
            file: spooled.path,
            bytes: spooled.bytes,
            sop_class_uid: self.class,
            sop_instance_uid: self.instance,
        })
    }
}
