//! Writes a page for each sample run, with every picture, and an index: `cargo run --example pictures -- target/pictures`.
#![allow(clippy::print_stdout, missing_docs)]

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

#[path = "../src/report/picture/tests/samples/mod.rs"]
mod samples;

use wsbench::report::picture;

use samples::{Picture, Run, gates, searches};

fn main() -> io::Result<()> {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "target/pictures".to_owned());
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    let mut links = String::new();
    for run in Run::all() {
        let page = page(&run);
        println!("{:>7} bytes {}.html", page.len(), run.name);
        fs::write(folder.join(format!("{}.html", run.name)), page)?;
        let _ = write!(
            links,
            "<li><a href=\"{0}.html\">{0}</a> {1}</li>",
            run.name, run.text
        );
    }
    fs::write(
        folder.join("index.html"),
        format!("<!doctype html><title>Pictures</title><ul>{links}</ul>"),
    )
}

/// Text between tags.
fn safe(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// A picture in its figure. What may scroll can be reached with the keyboard.
fn figure(one: &Picture) -> String {
    let (title, sentence) = (safe(&one.title), safe(&one.sentence));
    let label = title.replace('"', "&quot;");
    format!(
        "<figure id=\"{}\"><figcaption><b>{title}</b> <span>{sentence}</span></figcaption>\
         <div class=\"plot\" tabindex=\"0\" role=\"group\" aria-label=\"{label}\">{}</div></figure>\n",
        one.id, one.svg
    )
}

fn page(run: &Run) -> String {
    let mut body = String::new();
    let is_bad = run.name == "troubled";
    let (class, word) = if is_bad {
        ("bad", "✗</span> FAIL")
    } else {
        ("", "✓</span> PASS")
    };
    let _ = write!(
        body,
        "<header class=\"{class}\"><div class=\"wrap\"><p class=\"word\"><span aria-hidden=\"true\">{word}</p>\
         <div class=\"id\"><h1>{}</h1><p>{}</p></div><p class=\"why\">2 of 5 gates broken <small>exit code 3</small></p>\
         </div></header>\n<main class=\"wrap\"><nav aria-label=\"Sections\"><a href=\"#gates\">Gates</a> \
         <a href=\"#promises\">Promises</a> <a href=\"#time\">Over time</a></nav>\n<div class=\"tiles\">",
        run.name, run.text
    );
    for (name, value, more) in [
        ("connections", "2,024", "of 2,024 opened"),
        ("messages", "4,000/s", "88,000 sent, measured 22 s"),
        ("latency.echo p99", "786 ms", "p50 46.5 µs, max 1.00 s"),
        ("pings missed", "363", "of 9,599; 0 dead"),
    ] {
        let _ = write!(
            body,
            "<div><span>{name}</span> <b>{value}</b> <small>{more}</small></div>"
        );
    }
    body.push_str("</div>\n<section id=\"gates\"><h2>Gates</h2><div class=\"scroll\" tabindex=\"0\"><table class=\"gates\"><thead><tr><th scope=\"col\"><span class=\"sr\">held</span></th><th scope=\"col\">gate</th><th scope=\"col\" class=\"num\">seen</th><th scope=\"col\">against the limit</th></tr></thead><tbody>");
    for (name, svg) in gates() {
        let (mark, held) = if name == "broken" {
            ("<i class=\"no\">✗</i>", "broken ")
        } else {
            ("<i class=\"ok\">✓</i>", "held ")
        };
        let _ = write!(
            body,
            "<tr><td>{mark}<span class=\"sr\">{held}</span></td><td><code>p99(latency.{name}) &lt; 50ms</code></td>\
             <td class=\"num\">46.5 µs</td><td class=\"bar\">{svg}</td></tr>"
        );
    }
    body.push_str("</tbody></table></div></section>\n<section id=\"promises\"><h2>What the server promised</h2><p class=\"lead\">The green window is the promise. Each dot is one connection; a red cross is one that broke it.</p>");
    for one in run.promises() {
        let (class, mark) = if is_bad {
            ("no", "<i class=\"no\">✗</i>")
        } else {
            ("ok", "<i class=\"ok\">✓</i>")
        };
        let _ = write!(
            body,
            "<div class=\"promise {class}\"><div class=\"what\"><b>{mark} {}</b> <span class=\"exp\">1 s to 1.25 s</span> \
             <small>from the first unanswered ping</small></div><div class=\"saw\" tabindex=\"0\" role=\"group\" aria-label=\"{}\">{}<p>{}</p></div></div>",
            safe(&one.title),
            one.id,
            one.svg,
            safe(&one.sentence)
        );
    }
    body.push_str("</section>\n<section id=\"time\"><h2>Over time</h2><p class=\"lead\">Grey: not measured.<span class=\"js\" hidden> Point at a chart to read one interval off all of them; drag to zoom, double-click to zoom out.</span></p>");
    run.charts()
        .iter()
        .for_each(|one| body.push_str(&figure(one)));
    body.push_str("</section>\n<section><h2>Distribution</h2>");
    let others = run.others();
    others[..2]
        .iter()
        .for_each(|one| body.push_str(&figure(one)));
    for (name, svg) in searches() {
        let _ = write!(
            body,
            "<figure><figcaption><b>Search: {name}</b></figcaption><div class=\"plot\" tabindex=\"0\" role=\"group\" aria-label=\"{name}\">{svg}</div></figure>"
        );
    }
    body.push_str("<h3>Open connections of each cohort</h3><div class=\"sparks\">");
    for name in ["clients", "mute", "late"] {
        let _ = write!(
            body,
            "<div class=\"spark\"><b>{name}</b> {} <small>peak 400, last 398</small></div>",
            others[2].svg
        );
    }
    body.push_str("</div></section><p class=\"js\" hidden><button type=\"button\" data-save=\"run.json\">save the copy inside this page</button></p></main>\n<footer class=\"wrap\">This page is one file, loads nothing and sends nothing.</footer>");
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{0} · pictures</title>\n<style>{1}</style></head>\n<body>{body}\n\
         <script type=\"application/json\" id=\"readings\">{2}</script>\n<script type=\"application/octet-stream\" id=\"run-json\">H4sIAAAAAAACA6tWKk7OSM1NjC9LLSrOzM9TsjKsBQAN5PHpFAAAAA==</script>\n<script>{3}</script>\n<script>{4}</script></body></html>\n",
        run.name,
        picture::STYLE,
        run.readings(),
        picture::SCRIPT,
        picture::SAVE,
    )
}
