//! SVG as text. Only this file makes an [`Svg`], and everything that is written into one passes through it: names of
//! elements and attributes are ours, values are escaped.

use std::fmt;

use super::colour::Colour;
use super::path::{Path, tenths, write_tenths};
use super::text::escape;

/// A finished picture: one well-formed `<svg>` element, safe to be put into a page as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Svg(String);

impl Svg {
    /// The element as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Svg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A picture that is being written.
#[derive(Debug)]
pub(super) struct Writer {
    out: String,
}

impl Writer {
    /// Begins a picture of this size, in its own pixels. `name` is what a screen reader says instead of it.
    /// The page stretches a large picture to its width.
    pub(super) fn large(
        (width, height): (f64, f64),
        name: &str,
        more: &[(&'static str, &str)],
    ) -> Self {
        let mut writer = Self { out: String::new() };
        let mut tag = writer.root((width, height), name);
        for (key, value) in more {
            tag = tag.set(key, value);
        }
        tag.open();
        writer
    }

    /// Begins a picture that has this size on the page, also where there are no styles.
    pub(super) fn small((width, height): (f64, f64), name: &str) -> Self {
        let mut writer = Self { out: String::new() };
        let tag = writer.root((width, height), name);
        tag.num("width", width).num("height", height).open();
        writer
    }

    fn root(&mut self, (width, height): (f64, f64), name: &str) -> Tag<'_> {
        let mut view = String::from("0 0 ");
        write_tenths(tenths(width), &mut view);
        view.push(' ');
        write_tenths(tenths(height), &mut view);
        (self.tag("svg").set("viewBox", &view).set("role", "img"))
            .set("aria-label", name)
            .set("font-size", "12")
            .set("font-family", "sans-serif")
    }

    /// Begins an element.
    pub(super) fn tag(&mut self, name: &'static str) -> Tag<'_> {
        self.out.push('<');
        self.out.push_str(name);
        Tag {
            out: &mut self.out,
            name,
        }
    }

    /// Ends an element that was opened.
    pub(super) fn close(&mut self, name: &'static str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// Draws a path as a line, unless it is empty. `more` are its dashes, caps and the like.
    pub(super) fn line(
        &mut self,
        path: Path,
        colour: Colour,
        width: &'static str,
        more: &[(&'static str, &str)],
    ) {
        if path.is_empty() {
            return;
        }
        let mut tag = self
            .tag("path")
            .set("d", &path.finish())
            .set("fill", "none")
            .stroke(colour);
        tag = tag.set("stroke-width", width);
        for (key, value) in more {
            tag = tag.set(key, value);
        }
        tag.end();
    }

    /// Fills a path, unless it is empty.
    pub(super) fn area(&mut self, path: Path, colour: Colour, opacity: &str) {
        if !path.is_empty() {
            let tag = self.tag("path").set("d", &path.finish()).fill(colour);
            tag.set("fill-opacity", opacity).end();
        }
    }

    /// Writes a text.
    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, colour: Colour, text: &str) {
        self.tag("text")
            .at(x, y)
            .anchor(anchor)
            .fill(colour)
            .content(text);
    }

    /// Writes a note: a smaller text.
    pub(super) fn note(&mut self, (x, y): (f64, f64), anchor: Anchor, colour: Colour, text: &str) {
        let tag = self.tag("text").at(x, y).anchor(anchor).fill(colour);
        tag.set("font-size", "11").content(text);
    }

    /// Writes characters into the element that is open.
    pub(super) fn characters(&mut self, text: &str) {
        escape(text, &mut self.out);
    }

    /// Ends the picture.
    pub(super) fn finish(mut self) -> Svg {
        self.close("svg");
        Svg(self.out)
    }
}

/// Which part of a text is at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A start tag that is being written.
#[derive(Debug)]
#[must_use]
pub(super) struct Tag<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl Tag<'_> {
    /// Sets an attribute; the value is escaped.
    pub(super) fn set(self, name: &'static str, value: &str) -> Self {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        escape(value, self.out);
        self.out.push('"');
        self
    }

    /// Sets a number, with one decimal.
    pub(super) fn num(self, name: &'static str, value: f64) -> Self {
        let mut text = String::new();
        write_tenths(tenths(value), &mut text);
        self.set(name, &text)
    }

    pub(super) fn at(self, x: f64, y: f64) -> Self {
        self.num("x", x).num("y", y)
    }

    pub(super) fn fill(self, colour: Colour) -> Self {
        let class = format!("f-{}", colour.name());
        self.set("class", &class).set("fill", colour.light())
    }

    pub(super) fn stroke(self, colour: Colour) -> Self {
        let class = format!("s-{}", colour.name());
        self.set("class", &class).set("stroke", colour.light())
    }

    pub(super) fn anchor(self, anchor: Anchor) -> Self {
        match anchor {
            Anchor::Start => self,
            Anchor::Middle => self.set("text-anchor", "middle"),
            Anchor::End => self.set("text-anchor", "end"),
        }
    }

    /// Ends an element without content.
    pub(super) fn end(self) {
        self.out.push_str("/>");
    }

    /// Ends the tag; [`Writer::close`] ends the element.
    pub(super) fn open(self) {
        self.out.push('>');
    }

    /// Ends an element that holds a text.
    pub(super) fn content(self, text: &str) {
        self.out.push('>');
        escape(text, self.out);
        self.end_of_element();
    }

    /// Ends an element that holds a title, which a browser shows where the pointer rests.
    pub(super) fn title(self, text: &str) {
        self.out.push_str("><title>");
        escape(text, self.out);
        self.out.push_str("</title>");
        self.end_of_element();
    }

    fn end_of_element(self) {
        self.out.push_str("</");
        self.out.push_str(self.name);
        self.out.push('>');
    }
}
