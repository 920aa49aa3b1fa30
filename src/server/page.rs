//! The page to try a WebSocket server by hand, which the built-in server answers a browser with. No framework, no step that
//! builds it: its files are part of the program as they are.

/// The files, each with the path that asks for it, its type and its text.
const FILES: &[(&str, &str, &str)] = &[
    ("/", "text/html", include_str!("page/index.html")),
    ("/index.css", "text/css", STYLE),
    ("/index.js", SCRIPT, include_str!("page/index.js")),
    ("/link.js", SCRIPT, include_str!("page/link.js")),
    ("/scenario.js", SCRIPT, include_str!("page/scenario.js")),
    ("/data.js", SCRIPT, include_str!("page/data.js")),
];
const SCRIPT: &str = "text/javascript";
/// What is beside the style of the reports, so that both look alike.
const STYLE: &str = concat!(
    include_str!("../report/picture/page/style.css"),
    include_str!("page/index.css")
);

/// The page loads its own files, talks to any WebSocket server, and does nothing else. Alone in its process, it has the
/// clock of the browser with 5 µs instead of 100.
const HEADERS: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
    connect-src ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Embedder-Policy: require-corp\r\n\
    X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\nConnection: close\r\n";

/// The answer to a GET of this target, with its head; `None` if there is no such file.
pub(super) fn answer(target: &str) -> Option<String> {
    let path = match target.split('?').next() {
        Some("/index.html") => "/",
        path => path.unwrap_or(target),
    };
    let (_, kind, text) = FILES.iter().find(|(known, _, _)| *known == path)?;
    let length = text.len();
    Some(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {length}\r\n{HEADERS}\r\n{text}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_that_the_page_names_is_there() {
        let page = answer("/?from=somewhere").unwrap();
        let named = page
            .split(['"', '\''])
            .filter(|text| text.ends_with(".js") || text.ends_with(".css"));
        let mut files: Vec<String> = named.map(|name| format!("/{name}")).collect();
        assert!(files.len() >= 2, "{files:?}");
        let mut at = 0;
        while let Some(file) = files.get(at) {
            let text = answer(file).unwrap_or_else(|| panic!("no {file}"));
            let imports = text
                .split("from './")
                .skip(1)
                .filter_map(|rest| rest.split('\'').next());
            let new: Vec<String> = imports
                .map(|name| format!("/{name}"))
                .filter(|name| !files.contains(name))
                .collect();
            files.extend(new);
            at += 1;
        }
        assert_eq!(files.len() + 1, FILES.len(), "all are used: {files:?}");
        assert_eq!(answer("/index.html"), answer("/"));
        assert_eq!(answer("/favicon.ico"), None);
    }
}
