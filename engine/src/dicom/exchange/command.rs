//! Command sets (PS3.7 6.3 and annex E): flat, of group 0000, always Implicit VR Little Endian.
//!
//! They are read here and not by the parser of data sets: it takes the memory that an element asks for
//! before it reads, and a command comes from anybody.

use super::Status;

/// Bytes of a command set, at most; those of C-STORE have some three hundred.
pub(super) const MOST_BYTES: usize = 16 << 10;

/// Command Field (0000,0100) of the messages that are known here.
pub(super) const C_STORE_RQ: u16 = 0x0001;
pub(super) const C_ECHO_RQ: u16 = 0x0030;
/// The bit that makes a response of a request.
pub(super) const RESPONSE: u16 = 0x8000;

const AFFECTED_CLASS: u16 = 0x0002;
const COMMAND_FIELD: u16 = 0x0100;
const MESSAGE_ID: u16 = 0x0110;
const RESPONDED_MESSAGE_ID: u16 = 0x0120;
const PRIORITY: u16 = 0x0700;
const DATA_SET_TYPE: u16 = 0x0800;
const STATUS: u16 = 0x0900;
const ERROR_COMMENT: u16 = 0x0902;
const AFFECTED_INSTANCE: u16 = 0x1000;
/// Command Data Set Type of a message without one; anything else says that one follows.
const WITHOUT_DATA: u16 = 0x0101;
/// Characters of an Error Comment, a Long String.
const LONGEST_COMMENT: usize = 64;

/// A command set: elements of group 0000 in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Command(Vec<(u16, Vec<u8>)>);

impl Command {
    /// C-ECHO-RQ (PS3.7 9.3.5.1).
    pub(super) fn echo(message_id: u16) -> Self {
        let mut command = Self::default();
        command.uid(AFFECTED_CLASS, super::VERIFICATION);
        command.short(COMMAND_FIELD, C_ECHO_RQ);
        command.short(MESSAGE_ID, message_id);
        command.short(DATA_SET_TYPE, WITHOUT_DATA);
        command
    }

    /// C-STORE-RQ of medium priority (PS3.7 9.3.1.1).
    pub(super) fn store(message_id: u16, class: &str, instance: &str) -> Self {
        let mut command = Self::default();
        command.uid(AFFECTED_CLASS, class);
        command.short(COMMAND_FIELD, C_STORE_RQ);
        command.short(MESSAGE_ID, message_id);
        command.short(PRIORITY, 0);
        command.short(DATA_SET_TYPE, 0);
        command.uid(AFFECTED_INSTANCE, instance);
        command
    }

    /// The response to this request, with a comment where something is to be said.
    pub(super) fn response(&self, status: Status, comment: &str) -> Self {
        let mut command = Self::default();
        if let Some(class) = self.class() {
            command.uid(AFFECTED_CLASS, &class);
        }
        command.short(COMMAND_FIELD, self.field().unwrap_or_default() | RESPONSE);
        command.short(RESPONDED_MESSAGE_ID, self.message_id());
        command.short(DATA_SET_TYPE, WITHOUT_DATA);
        command.short(STATUS, status.0);
        if !comment.is_empty() {
            let plain = comment.chars().map(|c| match c {
                ' '..='~' if c != '\\' => c,
                _ => ' ',
            });
            let mut text: String = plain.take(LONGEST_COMMENT).collect();
            if text.len() % 2 == 1 {
                text.push(' ');
            }
            command.0.push((ERROR_COMMENT, text.into_bytes()));
        }
        if let Some(instance) = self.instance() {
            command.uid(AFFECTED_INSTANCE, &instance);
        }
        command
    }

    /// Reads a command set. `None` where a length runs over the end, or an element is of another group.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut elements = Vec::new();
        while !bytes.is_empty() {
            let (head, rest) = bytes.split_at_checked(8)?;
            if head[..2] != [0, 0] {
                return None;
            }
            let element = u16::from_le_bytes([head[2], head[3]]);
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let (value, rest) = rest.split_at_checked(length)?;
            elements.push((element, value.to_vec()));
            bytes = rest;
        }
        Some(Self(elements))
    }

    /// The command set behind its group length.
    pub(super) fn encode(&self) -> Vec<u8> {
        let length: usize = self.0.iter().map(|(_, value)| 8 + value.len()).sum();
        let mut bytes = Vec::with_capacity(12 + length);
        let mut put = |element: u16, value: &[u8]| {
            bytes.extend([0, 0]);
            bytes.extend(element.to_le_bytes());
            bytes.extend((value.len() as u32).to_le_bytes());
            bytes.extend(value);
        };
        put(0, &(length as u32).to_le_bytes());
        for (element, value) in &self.0 {
            put(*element, value);
        }
        bytes
    }

    fn short(&mut self, element: u16, value: u16) {
        self.0.push((element, value.to_le_bytes().to_vec()));
    }

    fn uid(&mut self, element: u16, uid: &str) {
        let mut value = uid.as_bytes().to_vec();
        if value.len() % 2 == 1 {
            value.push(0);
        }
        self.0.push((element, value));
    }

    fn get(&self, element: u16) -> Option<&[u8]> {
        let found = self.0.iter().find(|(known, _)| *known == element);
        found.map(|(_, value)| value.as_slice())
    }

    fn number(&self, element: u16) -> Option<u16> {
        let value = self.get(element)?;
        Some(u16::from_le_bytes([*value.first()?, *value.get(1)?]))
    }

    /// A UID of digits and dots, up to 64 characters.
    fn known_uid(&self, element: u16) -> Option<String> {
        let text = std::str::from_utf8(self.get(element)?).ok()?;
        let text = text.trim_end_matches(['\0', ' ']);
        super::super::uid::is_valid(text).then(|| text.to_owned())
    }

    pub(super) fn field(&self) -> Option<u16> {
        self.number(COMMAND_FIELD)
    }

    pub(super) fn message_id(&self) -> u16 {
        self.number(MESSAGE_ID).unwrap_or_default()
    }

    /// Message ID Being Responded To.
    pub(super) fn responds_to(&self) -> Option<u16> {
        self.number(RESPONDED_MESSAGE_ID)
    }

    pub(super) fn status(&self) -> Option<Status> {
        self.number(STATUS).map(Status)
    }

    /// Whether a data set follows.
    pub(super) fn has_data(&self) -> bool {
        self.number(DATA_SET_TYPE) != Some(WITHOUT_DATA)
    }

    /// Affected SOP Class UID.
    pub(super) fn class(&self) -> Option<String> {
        self.known_uid(AFFECTED_CLASS)
    }

    /// Affected SOP Instance UID.
    pub(super) fn instance(&self) -> Option<String> {
        self.known_uid(AFFECTED_INSTANCE)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The bytes that dcmtk's `echoscu` sends as its first message.
    #[test]
    fn an_echo_is_that_of_the_standard() {
        let mut expected = vec![0, 0, 0, 0, 4, 0, 0, 0, 56, 0, 0, 0];
        expected.extend([0, 0, 2, 0, 18, 0, 0, 0]);
        expected.extend(b"1.2.840.10008.1.1\0");
        expected.extend([0, 0, 0, 1, 2, 0, 0, 0, 0x30, 0]);
        expected.extend([0, 0, 0x10, 1, 2, 0, 0, 0, 1, 0]);
        expected.extend([0, 0, 0, 8, 2, 0, 0, 0, 1, 1]);
        assert_eq!(Command::echo(1).encode(), expected);
        let read = Command::decode(&expected).unwrap();
        assert_eq!(read.field(), Some(C_ECHO_RQ));
        assert_eq!((read.message_id(), read.has_data()), (1, false));
    }

    #[test]
    fn a_response_names_what_it_answers_and_says_why() {
        let request = Command::store(7, "1.2.3", "1.2.3.4");
        let response = request.response(Status::CANNOT_UNDERSTAND, "no\\pixels \u{e9}");
        let read = Command::decode(&response.encode()).unwrap();
        assert_eq!(read.field(), Some(C_STORE_RQ | RESPONSE));
        assert_eq!(read.responds_to(), Some(7));
        assert_eq!(read.status(), Some(Status::CANNOT_UNDERSTAND));
        assert_eq!(read.instance().as_deref(), Some("1.2.3.4"));
        assert_eq!(read.get(ERROR_COMMENT), Some(&b"no pixels   "[..]));
    }

    #[test]
    fn lengths_beyond_the_end_and_other_groups_are_refused() {
        let whole = Command::store(7, "1.2.3", "1.2.3.4").encode();
        for end in 1..whole.len() {
            let cut = Command::decode(&whole[..end]);
            assert!(cut.is_none_or(|command| command.instance().is_none()), "{end}");
        }
        assert!(Command::decode(&[0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF]).is_none());
        assert!(Command::decode(&[8, 0, 0, 1, 0, 0, 0, 0]).is_none());
    }
}
