//! Writing HTML so that nothing a submitter chose can become markup.

use std::fmt::{Display, Write as _};

/// A page under construction. Markup can only come from this program's own text.
#[derive(Debug, Default)]
pub(crate) struct Html(String);

impl Html {
    /// Begins a page: head, site header, and the opening of its main part.
    pub(crate) fn page(title: &dyn Display) -> Self {
        let mut html = Self::default();
        html.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>")
            .text(title)
            .raw(" · Hallmark</title><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")
            .raw("<link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/assets/report.css\">")
            .raw("<link rel=\"stylesheet\" href=\"/assets/hallmark.css\">")
            .raw("</head><body><header class=\"site\"><a class=\"brand\" href=\"/\">Hallmark</a><nav>")
            .raw("<a href=\"/\">Attestations</a><a href=\"/attempts\">Attempts</a><a href=\"/log\">Log</a><a href=\"/api/v1/openapi.json\">API</a>")
            .raw("</nav></header><main>\n");
        html
    }

    /// Ends a page with the log it speaks for.
    pub(crate) fn end(mut self, origin: &str, size: u64) -> Self {
        self.raw("</main><footer>Log <code>")
            .text(&origin)
            .raw("</code>, ")
            .text(&size)
            .raw(" entries. Figures are what signers claim unless the evidence says more; ")
            .raw("signatures, statistics and the place in the log are checked.</footer></body></html>\n");
        self
    }

    pub(crate) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text, safe inside elements and quoted attributes.
    pub(crate) fn text(&mut self, text: &dyn Display) -> &mut Self {
        for c in text.to_string().chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    /// A part drawn by `reports`, which escapes what it is given.
    pub(crate) fn drawn(&mut self, part: &str) -> &mut Self {
        self.0.push_str(part);
        self
    }

    /// One segment of a path or one value of a query.
    pub(crate) fn url(&mut self, segment: &str) -> &mut Self {
        for byte in segment.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                self.0.push(char::from(byte));
            } else {
                let _ = write!(self.0, "%{byte:02X}");
            }
        }
        self
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_never_becomes_markup_and_segments_never_end_an_attribute() {
        let mut html = Html::default();
        html.text(&"<b>\"&'</b>").raw("|").url("a/b \"><é");
        assert_eq!(
            String::from_utf8(html.into_bytes()).expect("UTF-8"),
            "&lt;b&gt;&quot;&amp;&#39;&lt;/b&gt;|a%2Fb%20%22%3E%3C%C3%A9"
        );
    }
}
