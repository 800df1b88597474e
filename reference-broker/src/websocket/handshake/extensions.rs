//! The syntax of `Sec-WebSocket-Extensions` (RFC 6455 section 9.1):
//!
//! ```text
//! 1#( token *( ";" token [ "=" ( token | quoted-string ) ] ) )
//! ```
//!
//! where `1#` is a list with commas that may have empty places, but not only
//! those, and a quoted string holds a token.

use tokio_tungstenite::tungstenite::http::header::{self, HeaderMap};

/// Whether what a client says of extensions can be read at all. None is spoken
/// here, but what is malformed fails the connection.
pub(super) fn are_well_formed(headers: &HeaderMap) -> bool {
    let mut values = headers
        .get_all(header::SEC_WEBSOCKET_EXTENSIONS)
        .iter()
        .peekable();
    // Several headers are as one with commas (section 9.1).
    let mut some = values.peek().is_none();
    for value in values {
        for extension in separated(value.as_bytes(), b',').into_iter().map(trim) {
            if extension.is_empty() {
                continue;
            }
            some = true;
            let mut parts = separated(extension, b';').into_iter().map(trim);
            if !parts.next().is_some_and(is_token) || !parts.all(is_parameter) {
                return false;
            }
        }
    }
    some
}

fn is_parameter(parameter: &[u8]) -> bool {
    match parameter.iter().position(|byte| *byte == b'=') {
        None => is_token(parameter),
        Some(at) => {
            let value = trim(&parameter[at + 1..]);
            let quoted = value
                .strip_prefix(b"\"")
                .and_then(|rest| rest.strip_suffix(b"\""));
            is_token(trim(&parameter[..at])) && is_token(quoted.unwrap_or(value))
        }
    }
}

/// RFC 2616 section 2.2.
fn is_token(text: &[u8]) -> bool {
    let in_token = |byte: &u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(byte);
    !text.is_empty() && text.iter().all(in_token)
}

fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

/// What stands between separators; those between quotes separate nothing.
fn separated(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let mut quoted = false;
    text.split(|byte| {
        quoted ^= *byte == b'"';
        !quoted && *byte == separator
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use tokio_tungstenite::tungstenite::http::header::HeaderValue;

    fn check(values: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_static(value);
            headers.append(header::SEC_WEBSOCKET_EXTENSIONS, value);
        }
        are_well_formed(&headers)
    }

    #[rstest]
    #[case::none(&[])]
    #[case::one(&["foo"])]
    #[case::the_example_of_the_rfc(&["foo, bar; baz=2"])]
    #[case::several_headers(&["foo", "bar; baz=2"])]
    #[case::quoted(&["deflate-stream; a=\"1\" ; b"])]
    #[case::empty_places(&[" , foo ,, bar ,"])]
    fn what_the_grammar_allows(#[case] values: &[&'static str]) {
        assert!(check(values));
    }

    #[rstest]
    #[case::nothing(&[""])]
    #[case::only_empty_places(&[" , ,"])]
    #[case::no_name(&["; =,"])]
    #[case::no_parameter(&["foo;"])]
    #[case::no_value(&["foo; bar="])]
    #[case::no_token(&["foo bar"])]
    #[case::no_token_in_quotes(&["foo; bar=\"a,b\""])]
    #[case::an_open_quote(&["foo; bar=\"a"])]
    #[case::the_second_header(&["foo", "=" ])]
    fn what_it_does_not(#[case] values: &[&'static str]) {
        assert!(!check(values));
    }
}
