//! A page being written: every element is closed, every text escaped.

use crate::report::svg::escape;

/// The text of a page so far.
#[derive(Default)]
pub struct Page(pub String);

impl Page {
    /// An element with what `inner` writes in it; `tag` is its name and perhaps attributes.
    pub fn tag(&mut self, tag: &str, inner: impl FnOnce(&mut Self)) {
        let name = tag.split(' ').next().unwrap_or(tag);
        self.raw(&format!("<{tag}>"));
        inner(self);
        self.raw(&format!("</{name}>"));
        if matches!(
            name,
            "p" | "h1" | "h2" | "h3" | "tr" | "table" | "section" | "figure" | "dd" | "li"
        ) {
            self.raw("\n");
        }
    }

    /// An element with a text in it.
    pub fn leaf(&mut self, tag: &str, text: &str) {
        self.tag(tag, |page| page.text(text));
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        self.raw(&escape(text));
    }

    /// Markup as it is.
    pub fn raw(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    /// A section with a heading.
    pub fn section(&mut self, title: &str, inner: impl FnOnce(&mut Self)) {
        self.tag("section", |page| {
            page.leaf("h2", title);
            inner(page);
        });
    }

    /// A table that scrolls by itself where it is too wide; `heads` may be empty.
    pub fn table(&mut self, class: &str, heads: &[String], rows: impl FnOnce(&mut Self)) {
        self.tag("div class=\"wide\"", |page| {
            page.tag(&format!("table class=\"{class}\""), |page| {
                if !heads.is_empty() {
                    page.tag("thead", |page| {
                        page.tag("tr", |page| {
                            for head in heads {
                                page.leaf("th scope=\"col\"", head);
                            }
                        });
                    });
                }
                page.tag("tbody", rows);
            });
        });
    }
}
