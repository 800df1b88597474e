//! The heads of HTTP's requests and answers: up to the empty line, whatever the
//! segments they come in.

use super::End;

/// The longest head that is taken for one, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Fields of a head beyond which it is none.
const FIELDS_MAX: usize = 64;

/// What ends a head.
const EMPTY_LINE: &[u8] = b"\r\n\r\n";

/// What every answer begins with.
const ANSWER: &[u8] = b"HTTP/1.";

/// A head, as far as it has been sent.
#[derive(Debug, Default)]
pub(super) struct Head(Vec<u8>);

/// How much of some bytes belongs to a head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// All of them, and more is to come.
    All,
    /// So many; with them it is whole.
    Whole(usize, Option<Says>),
    /// So many; the next byte is none of a head.
    Foreign(usize),
}

/// What a head says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Says {
    /// The status, of an answer.
    pub(super) status: u16,
    /// What is asked for, in a request.
    pub(super) path: String,
    /// Names in lower case, and values.
    fields: Vec<(String, String)>,
}

impl Says {
    /// The values of a field, which is named in lower case: items between commas,
    /// over all lines of it.
    pub(super) fn list<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let lines = self.fields.iter().filter(move |(field, _)| field == name);
        lines.flat_map(|(_, value)| value.split(',').map(str::trim))
    }
}

impl Head {
    /// Takes what comes next.
    pub(super) fn take(&mut self, bytes: &[u8], end: End) -> Taken {
        for (index, byte) in bytes.iter().enumerate() {
            if self.0.len() == HEAD_BYTES_MAX || !may_begin(end, self.0.len(), *byte) {
                return Taken::Foreign(index);
            }
            self.0.push(*byte);
            if self.0.ends_with(EMPTY_LINE) {
                let head = std::mem::take(&mut self.0);
                return Taken::Whole(index + 1, says(&head, end));
            }
        }
        Taken::All
    }
}

/// Whether a byte may stand at this place, as far as the first bytes tell HTTP
/// from something else.
fn may_begin(end: End, at: usize, byte: u8) -> bool {
    match end {
        End::Client => at > 0 || byte.is_ascii_uppercase(),
        End::Server => ANSWER.get(at).is_none_or(|expected| *expected == byte),
    }
}

/// What a whole head says; nothing if it is none.
fn says(head: &[u8], end: End) -> Option<Says> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let (status, path, fields) = match end {
        End::Client => {
            let mut request = httparse::Request::new(&mut fields);
            request.parse(head).ok()?;
            (0, request.path?, request.headers)
        }
        End::Server => {
            let mut answer = httparse::Response::new(&mut fields);
            answer.parse(head).ok()?;
            (answer.code?, "", answer.headers)
        }
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let fields = fields.iter();
    Some(Says {
        status,
        path: path.to_owned(),
        fields: fields
            .map(|field| (field.name.to_ascii_lowercase(), text(field.value)))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const ANSWERED: &[u8] =
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: a, b\r\nupgrade: c\r\n\r\n";

    #[test]
    fn a_head_says_the_same_however_it_is_split() {
        for size in 1..=ANSWERED.len() {
            let mut head = Head::default();
            let mut pieces = ANSWERED.chunks(size).peekable();
            while let Some(piece) = pieces.next() {
                let taken = head.take(piece, End::Server);
                if pieces.peek().is_some() {
                    assert_eq!(taken, Taken::All);
                    continue;
                }
                let Taken::Whole(bytes, Some(says)) = taken else {
                    panic!("a whole head, not {taken:?}");
                };
                assert_eq!((bytes, says.status), (piece.len(), 101));
                assert_eq!(says.list("upgrade").collect::<Vec<_>>(), ["a", "b", "c"]);
            }
        }
    }

    #[rstest]
    #[case::mqtt(End::Client, b"\x10\x0c", Taken::Foreign(0))]
    #[case::a_request_for_an_answer(End::Server, b"HTTq", Taken::Foreign(3))]
    #[case::no_request(End::Client, b"GET\r\n\r\n+", Taken::Whole(7, None))]
    fn what_is_no_head_is_told(#[case] end: End, #[case] bytes: &[u8], #[case] taken: Taken) {
        assert_eq!(Head::default().take(bytes, end), taken);
    }

    #[test]
    fn a_head_has_an_end() {
        let endless = vec![b'A'; HEAD_BYTES_MAX + 1];
        let taken = Head::default().take(&endless, End::Client);
        assert_eq!(taken, Taken::Foreign(HEAD_BYTES_MAX));
    }
}
