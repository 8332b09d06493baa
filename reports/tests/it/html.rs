//! A checker for the HTML this crate writes: stricter than a browser, which mends what it reads.

/// Elements without an end tag.
const VOID: [&str; 3] = ["meta", "br", "hr"];

/// Panics unless every element is closed in order, every attribute is quoted, ids are unique and every
/// `aria-labelledby` names one of them. Returns the texts between tags, joined.
pub(crate) fn well_formed(html: &str) -> String {
    let (mut open, mut ids, mut wanted): (Vec<String>, Vec<String>, Vec<String>) = Default::default();
    let mut texts = String::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").unwrap_or(html);
    while let Some((text, after)) = rest.split_once('<') {
        assert!(!text.contains('>'), "bare > in {text:?}");
        texts += text;
        let (tag, after) = after
            .split_once('>')
            .unwrap_or_else(|| panic!("unclosed tag: {after:.80}"));
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(
                open.pop().as_deref(),
                Some(name),
                "wrong end tag before {rest:.80}"
            );
            continue;
        }
        let empty = tag.ends_with('/');
        let (name, attributes) = tag
            .trim_end_matches('/')
            .split_once(char::is_whitespace)
            .unwrap_or((tag, ""));
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric()), "odd tag <{tag}>");
        for (attribute, value) in attributes_of(attributes) {
            assert!(
                !attribute.starts_with("on") && attribute != "style",
                "{attribute} in <{tag}>"
            );
            match attribute.as_str() {
                "id" => ids.push(value),
                "aria-labelledby" => wanted.push(value),
                _ => {}
            }
        }
        if name == "style" {
            let (_, after) = rest.split_once("</style>").expect("a closed stylesheet");
            rest = after;
        } else if !empty && !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id stands twice");
    assert!(wanted.iter().all(|id| ids.contains(id)), "{wanted:?} {ids:?}");
    texts + rest
}

fn attributes_of(mut text: &str) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    while !text.trim().is_empty() {
        let (name, after) = text
            .trim_start()
            .split_once("=\"")
            .unwrap_or_else(|| panic!("unquoted attribute: {text:?}"));
        let (value, after) = after.split_once('"').expect("a closing quote");
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || name == "viewBox"),
            "{name:?}"
        );
        attributes.push((name.to_owned(), value.to_owned()));
        text = after;
    }
    attributes
}
