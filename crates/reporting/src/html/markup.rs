use crate::text::clean;
use std::fmt::Display;

/// HTML under construction. Only text fixed in this program enters unescaped; everything else goes
/// through [`Markup::text`].
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Appends HTML written in this program.
    pub(super) fn raw(&mut self, html: &'static str) -> &mut Self {
        self.0.push_str(html);
        self
    }

    /// Appends any string: safe between tags and inside quoted attributes. Characters that deceive
    /// are written out.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        for symbol in clean(&text.to_string()).chars() {
            match symbol {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                symbol => self.0.push(symbol),
            }
        }
        self
    }

    /// Appends `text` as code, kept apart from the direction of the text around it.
    pub(super) fn code(&mut self, text: impl Display) -> &mut Self {
        self.raw("<code>").text(text).raw("</code>")
    }

    /// Appends JSON for a data block: nothing in it can end the block.
    pub(super) fn json(&mut self, value: &serde_json::Value) -> &mut Self {
        for symbol in value.to_string().chars() {
            match symbol {
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    self.0.push_str(&format!("\\u{:04x}", u32::from(symbol)));
                }
                symbol => self.0.push(symbol),
            }
        }
        self
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}
