//! Rust source text, as far as these checks read it: without comments, without
//! the contents of literals, and without test code.
//!
//! `make check` holds every file to rustfmt's format. The functions here rely on
//! it: an item ends at the first line that is a closing brace with the indentation
//! of the item's first line.

use std::iter;

/// The text with each comment, each literal's contents and each item below
/// `#[cfg(test)]` replaced by spaces. Lines keep their numbers.
pub(crate) fn without_tests(text: &str) -> String {
    let code = without_comments(text);
    let lines: Vec<_> = code.lines().collect();
    let mut kept: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if is_test_attribute(lines[at]) {
            let end = item_end(&lines, at);
            kept.extend(iter::repeat_n("", end - at));
            at = end;
        } else {
            kept.push(lines[at]);
            at += 1;
        }
    }
    kept.join("\n")
}

/// The names of the modules that are declared below `#[cfg(test)]`.
pub(crate) fn test_modules(text: &str) -> Vec<String> {
    let code = without_comments(text);
    let lines: Vec<_> = code.lines().collect();
    let starts = lines.iter().enumerate().filter(|(_, line)| is_test_attribute(line));
    let items = starts.map(|(at, _)| lines[at..item_end(&lines, at)].join(" "));
    items.filter_map(|item| module_names(&item).into_iter().next()).collect()
}

/// The names of the modules that this code declares with `mod name;` or opens
/// with `mod name {`.
pub(crate) fn module_names(code: &str) -> Vec<String> {
    let words = code.split(|c: char| !is_identifier(c)).filter(|word| !word.is_empty());
    let words: Vec<_> = words.collect();
    let pairs = words.windows(2).filter(|pair| pair[0] == "mod");
    pairs.map(|pair| pair[1].to_owned()).collect()
}

/// Whether this character can stand in a name.
pub(crate) fn is_identifier(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The number of spaces in front of a line.
pub(crate) fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The line after an item which begins, with its attributes, at `start`.
pub(crate) fn item_end(lines: &[&str], start: usize) -> usize {
    let indent = indentation(lines[start]);
    let ends = |line: &&str| {
        let is_outer = indentation(line) == indent && !line.trim_start().starts_with("#[");
        is_outer && (line.ends_with(['}', ';', ',']) && !line.trim().is_empty())
    };
    lines.iter().skip(start).position(ends).map_or(lines.len(), |length| start + length + 1)
}

/// `#[cfg(test)]`, and `#[cfg(any(test, …))]`, which a feature can turn on too.
fn is_test_attribute(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(any(test,")
}

/// The text with comments and the contents of literals replaced by spaces.
fn without_comments(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = opaque_end(&chars, at);
        if end > at {
            code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            code.push(chars[at]);
            at += 1;
        }
    }
    code.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Where the comment or literal that begins at `at` ends; `at` if none begins.
fn opaque_end(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let before = at.checked_sub(1).map(|before| chars[before]);
    match rest {
        ['/', '/', ..] => at + rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => at + find(rest, &['*', '/']),
        ['r', '"' | '#', ..] if !before.is_some_and(|c| is_identifier(c) && c != 'b') => {
            let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
            if rest.get(1 + hashes) != Some(&'"') {
                return at; // A raw identifier.
            }
            let mut close = vec!['"'];
            close.extend(iter::repeat_n('#', hashes));
            let body = 2 + hashes;
            at + body + find(&rest[body..], &close)
        }
        ['"', ..] => at + quoted_length(rest, '"'),
        ['\'', '\\', ..] => at + quoted_length(rest, '\''),
        ['\'', _, '\'', ..] => at + 3,
        _ => at,
    }
}

/// The length up to and with the first `needle`, or to the end.
fn find(chars: &[char], needle: &[char]) -> usize {
    let at = chars.windows(needle.len()).position(|window| window == needle);
    at.map_or(chars.len(), |at| at + needle.len())
}

/// The length of a literal with escapes, both of its quotes included.
fn quoted_length(chars: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

#[test]
fn comments_literals_and_test_items_are_left_out() {
    let text = "\
use a::b; // use crate::c;
/* use crate::d; */
const S: &str = \"use crate::e; \\\" {\";
const R: &str = r#\"use \"crate::f; {\"#;
const C: [char; 2] = ['{', '\\''];
fn f<'a>(x: &'a str) {}
#[cfg(test)]
use crate::g;
#[cfg(test)]
#[expect(clippy::panic)]
mod tests {
    use crate::h;
}
#[cfg(test)]
mod fake;
struct Last;
";
    let code = without_tests(text);
    assert_eq!(code.lines().count(), text.lines().count());
    let words = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = "use a::b; const S: &str = ; const R: &str = ; const C: [char; 2] = [ , ]; \
                    fn f<'a>(x: &'a str) {} struct Last;";
    assert_eq!(words, expected);
    assert_eq!(test_modules(text), ["tests", "fake"]);
}
