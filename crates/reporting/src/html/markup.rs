use crate::text::clean;
use std::fmt::Display;

/// HTML under construction. Only text fixed in this program enters unescaped; everything else goes
/// through [`Markup::text`].
#[derive(Debug, Default)]
pub(super) struct Markup {
    html: String,
    heads: Vec<Head>,
}

/// The columns of some tables: what each is called, and whether it holds numbers.
pub(super) type Head = Vec<(&'static str, bool)>;

impl Markup {
    /// Appends HTML written in this program.
    pub(super) fn raw(&mut self, html: &'static str) -> &mut Self {
        self.html.push_str(html);
        self
    }

    /// Appends any string: safe between tags and inside quoted attributes. Characters that deceive
    /// are written out.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        for symbol in clean(&text.to_string()).chars() {
            match symbol {
                '&' => self.html.push_str("&amp;"),
                '<' => self.html.push_str("&lt;"),
                '>' => self.html.push_str("&gt;"),
                '"' => self.html.push_str("&quot;"),
                '\'' => self.html.push_str("&#39;"),
                symbol => self.html.push(symbol),
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
                    self.html.push_str(&format!("\\u{:04x}", u32::from(symbol)));
                }
                symbol => self.html.push(symbol),
            }
        }
        self
    }

    /// Appends the class of tables with these columns; [`styles`](Self::styles) says what it does.
    pub(super) fn columns(&mut self, head: &Head) -> &mut Self {
        let at = self.heads.iter().position(|it| it == head).unwrap_or_else(|| {
            self.heads.push(head.clone());
            self.heads.len() - 1
        });
        self.html.push_str(&format!("c{at}"));
        self
    }

    /// Rules for the columns of tables, so that no cell need repeat them: numbers stand at the
    /// right, and on a narrow view, where each row is a card, a cell has its column's name.
    pub(super) fn styles(&self) -> String {
        let (mut wide, mut narrow) = (String::new(), String::new());
        for (class, head) in self.heads.iter().enumerate() {
            let cells = head.iter().enumerate().skip(1);
            for (at, (name, number)) in cells {
                let cell = format!(".c{class} td:nth-child({})", at + 1);
                narrow.push_str(&format!("{cell}::before{{content:\"{name}\"}}"));
                if *number {
                    wide.push_str(&format!("{}{cell}", if wide.is_empty() { "" } else { "," }));
                }
            }
        }
        if !wide.is_empty() {
            wide.push_str("{text-align:right;white-space:nowrap}");
        }
        format!("@media (min-width:60.01rem){{{wide}}}\n@media (max-width:60rem){{{narrow}}}\n")
    }

    pub(super) fn finish(self) -> String {
        self.html
    }
}
