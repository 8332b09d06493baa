//! Strangers' text, made harmless for the format it is written into.

/// Longest name that is shown whole, in characters; longer ones end in `…`. The JSON and CSV carry the whole text.
pub(crate) const NAME_CHARS: usize = 120;

/// Longest id of a device that is shown whole: `vulkan:0`.
pub(crate) const ID_CHARS: usize = 24;

/// Longest sentence that is shown whole: a reason, a check's detail.
pub(crate) const SENTENCE_CHARS: usize = 600;

/// `text` on one line, without characters that move the cursor, hide text or turn the reading direction: each becomes
/// U+FFFD, so that a reader sees that something stood there.
pub(crate) fn visible(text: &str, max_chars: usize) -> String {
    let clean = |c: char| if is_invisible(c) { '\u{FFFD}' } else { c };
    let mut shown: String = text.chars().take(max_chars).map(clean).collect();
    if text.chars().nth(max_chars).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// Control characters, and the format characters that reorder or hide text (Unicode TR 36, section 2.10).
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{FEFF}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// Text or a double-quoted attribute value of an HTML document.
pub(crate) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in visible(text, SENTENCE_CHARS).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Text inside a cell of a Markdown table: nothing in it becomes markup, a link, an image or another cell.
pub(crate) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in visible(text, SENTENCE_CHARS).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' => escaped.push_str("&#64;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '!' | '#' | '~' | '$' => {
                escaped.push('\\');
                escaped.push(c);
            }
            other => escaped.push(other),
        }
    }
    escaped.replace("://", "&#58;//")
}

/// One CSV field (RFC 4180). Text that a spreadsheet would run as a formula is led by an apostrophe.
pub(crate) fn csv(text: &str) -> String {
    const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
    let guard = if text.trim_start_matches([' ', '\n']).starts_with(FORMULA) {
        "'"
    } else {
        ""
    };
    if text.contains([',', '"', '\r', '\n', ';', '\t']) || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{guard}{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_direction_marks_show_as_replaced() {
        assert_eq!(
            visible("a\u{1b}[31mb\u{202e}c\nd", 99),
            "a\u{FFFD}[31mb\u{FFFD}c\u{FFFD}d"
        );
        assert_eq!(visible("abcdef", 4), "abc…");
        assert_eq!(visible("abcd", 4), "abcd");
    }

    #[test]
    fn markup_stays_text() {
        assert_eq!(
            html("<script>\"x\"&'y'"),
            "&lt;script&gt;&quot;x&quot;&amp;&#39;y&#39;"
        );
        assert_eq!(
            markdown("a|b `c` ![i](https://x) <b> @all"),
            "a\\|b \\`c\\` \\!\\[i\\](https&#58;//x) &lt;b&gt; &#64;all"
        );
    }

    #[test]
    fn formulas_are_led_by_an_apostrophe_and_quotes_are_doubled() {
        assert_eq!(csv("=1+1"), "'=1+1");
        assert_eq!(csv(" \n@SUM(A1)"), "\"' \n@SUM(A1)\"");
        assert_eq!(csv("-2,\"x\""), "\"'-2,\"\"x\"\"\"");
        assert_eq!(csv("＝cmd"), "'＝cmd");
        assert_eq!(csv("plain"), "plain");
        assert_eq!(csv("a\r\nb"), "\"a\r\nb\"");
    }
}
