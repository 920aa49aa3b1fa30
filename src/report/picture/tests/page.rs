//! What the page's style and script must be for the pictures.

use super::picture::{Colour, SAVE, SCRIPT, STYLE};

#[test]
fn the_page_has_each_colour_in_both_modes() {
    let (light, rest) = STYLE
        .split_once("@media screen and (prefers-color-scheme: dark)")
        .unwrap();
    let (dark, classes) = rest.split_once("/* s- strokes").unwrap();
    for colour in Colour::ALL {
        let name = colour.name();
        assert!(
            light.contains(&format!("--{name}: {};", colour.light())),
            "{name} light"
        );
        assert!(
            dark.contains(&format!("--{name}: {};", colour.dark())),
            "{name} dark"
        );
        for (class, property) in [("s", "stroke"), ("f", "fill")] {
            let rule = format!(".{class}-{name} {{ {property}: var(--{name}) }}");
            assert!(classes.contains(&rule), "{rule}");
        }
    }
}

/// The contrast of two colours by WCAG 2.
fn contrast(a: &str, b: &str) -> f64 {
    let luminance = |colour: &str| {
        let part = |at: usize| {
            let share = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if share <= 0.040_45 {
                share / 12.92
            } else {
                ((share + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn text_can_be_read_in_both_modes() {
    for colour in [
        Colour::Ink,
        Colour::Mute,
        Colour::Good,
        Colour::Bad,
        Colour::Doubt,
    ] {
        for page in [Colour::Page, Colour::Card] {
            for (text, page) in [(colour.light(), page.light()), (colour.dark(), page.dark())] {
                assert!(
                    contrast(text, page) >= 4.5,
                    "{colour:?}: {:.2} on {page}",
                    contrast(text, page)
                );
            }
        }
    }
    // Bars of ends, on which text has the colour of the page.
    for colour in [
        Colour::Good,
        Colour::P99,
        Colour::Bad,
        Colour::Doubt,
        Colour::Mute,
    ] {
        assert!(
            contrast(colour.light(), Colour::Page.light()) >= 4.5,
            "{colour:?}"
        );
        assert!(
            contrast(colour.dark(), Colour::Page.dark()) >= 4.5,
            "{colour:?}"
        );
    }
}

#[test]
fn the_script_is_small() {
    assert!(SCRIPT.len() <= 4_096, "{} bytes", SCRIPT.len());
    for text in [SCRIPT, SAVE, STYLE] {
        let traps = [
            "innerHTML",
            "eval",
            "</script",
            "</style",
            "http:",
            "https:",
            "url(",
        ];
        assert_eq!(traps.into_iter().find(|trap| text.contains(trap)), None);
    }
}
