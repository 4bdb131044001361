//! Java's properties text (`java.util.Properties`), as far as Kafka's own files use it.

use alloc::string::String;
use alloc::vec::Vec;

/// Reads properties: comments, the three separators, continued lines and escapes, as
/// `Properties.load` does. An unfinished escape stands for itself; nothing is an error.
pub fn parse_properties(text: &str) -> Vec<(String, String)> {
    let mut properties = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = String::from(line);
        while ends_with_open_escape(&logical) {
            logical.pop();
            match lines.next() {
                Some(next) => logical.push_str(next.trim_start()),
                None => break,
            }
        }
        properties.push(split(&logical));
    }
    properties
}

/// Writes properties one a line, in the order given, escaped as `Properties.store` does for ASCII.
pub fn format_properties(properties: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (key, value) in properties {
        escape(key, &mut text);
        text.push('=');
        escape(value, &mut text);
        text.push('\n');
    }
    text
}

fn ends_with_open_escape(line: &str) -> bool {
    line.bytes().rev().take_while(|&b| b == b'\\').count() % 2 == 1
}

/// Splits at the first separator that is not escaped: whitespace, and at most one `=` or `:` in it.
fn split(line: &str) -> (String, String) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let separates = !escaped && (c == '=' || c == ':' || c.is_ascii_whitespace());
        escaped = !escaped && c == '\\';
        separates
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start();
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start();
    (unescape(key), unescape(value))
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits = rest.as_str().get(..4);
                let code = digits.and_then(|hex| u32::from_str_radix(hex, 16).ok());
                match code.and_then(char::from_u32) {
                    Some(symbol) => {
                        out.push(symbol);
                        rest = rest.as_str().get(4..).unwrap_or("").chars();
                    }
                    None => out.push('u'),
                }
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\\' | '=' | ':' | '#' | '!' | ' ' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{format_properties, parse_properties};
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse_properties(text)
    }

    #[test]
    fn separators_comments_and_escapes_are_javas() {
        let read =
            pairs("# c\n! c\n\na=1\nb : 2\nc 3\nd\n  e\\=f = g\\:h\\\n   i\nj=\\u0041\\t\\z\n");
        let expected =
            [("a", "1"), ("b", "2"), ("c", "3"), ("d", ""), ("e=f", "g:hi"), ("j", "A\tz")];
        let expected = expected.map(|(key, value)| (key.to_string(), value.to_string()));
        assert_eq!(read, expected);
    }

    #[test]
    fn formatted_properties_read_back() {
        let text = format_properties(&[("cluster.id", "a=b:c d\\e#\n"), ("version", "1")]);
        assert!(text.ends_with("version=1\n"));
        let expected = [("cluster.id", "a=b:c d\\e#\n"), ("version", "1")];
        assert_eq!(pairs(&text), expected.map(|(key, value)| (key.to_string(), value.to_string())));
    }

    #[test]
    fn any_bytes_are_read_without_panic() {
        for text in ["\\", "=\\", "\\u", "\\u12", "\\ud800x", "\\uäöü", "a\\\n", ":", "\u{feff}a=b"]
        {
            assert!(pairs(text).len() <= 1, "{text}");
        }
    }
}
