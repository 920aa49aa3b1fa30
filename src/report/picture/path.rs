//! The `d` of a path: relative commands with one decimal. Differences are taken between rounded places, so that errors
//! do not add up along a line.

/// A path that is being written. Coordinates are pixels of the picture; they must be finite.
#[derive(Debug, Default)]
pub(super) struct Path {
    d: String,
    /// The current point, in tenths of a pixel.
    at: (i64, i64),
    /// Where the current subpath began, in tenths.
    start: (i64, i64),
    /// A horizontal line that is not yet written, in tenths: it may grow.
    flat: i64,
    /// The command that further coordinates would belong to.
    command: char,
}

impl Path {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.d.is_empty()
    }

    /// Begins a subpath here.
    pub(super) fn move_to(&mut self, x: f64, y: f64) {
        let to = (tenths(x), tenths(y));
        self.flush();
        if self.d.is_empty() {
            self.put('M', &[to.0, to.1]);
        } else {
            self.put('m', &[to.0 - self.at.0, to.1 - self.at.1]);
            // Coordinates after a relative move are relative lines.
            self.command = 'l';
        }
        (self.at, self.start) = (to, to);
    }

    /// Draws a line to here; one to where it already is draws nothing.
    pub(super) fn line_to(&mut self, x: f64, y: f64) {
        let to = (tenths(x), tenths(y));
        let (dx, dy) = (to.0 - self.at.0, to.1 - self.at.1);
        self.at = to;
        match (dx, dy) {
            (0, 0) => {}
            (_, 0) if self.flat.signum() == -dx.signum() => {
                self.flush();
                self.flat = dx;
            }
            (_, 0) => self.flat += dx,
            (0, _) => {
                self.flush();
                self.put('v', &[dy]);
            }
            _ => {
                self.flush();
                self.put('l', &[dx, dy]);
            }
        }
    }

    /// Draws a line without length: a dot, where its ends are round.
    pub(super) fn dot(&mut self, x: f64, y: f64) {
        self.move_to(x, y);
        self.put('h', &[0]);
    }

    /// Draws a box between two corners.
    pub(super) fn rect(&mut self, (x0, y0): (f64, f64), (x1, y1): (f64, f64)) {
        self.move_to(x0, y0);
        self.line_to(x1, y0);
        self.line_to(x1, y1);
        self.line_to(x0, y1);
        self.close();
    }

    /// Closes the subpath.
    pub(super) fn close(&mut self) {
        self.flush();
        self.d.push('z');
        self.command = 'z';
        self.at = self.start;
    }

    /// The finished text.
    pub(super) fn finish(mut self) -> String {
        self.flush();
        self.d
    }

    fn flush(&mut self) {
        let flat = std::mem::take(&mut self.flat);
        if flat != 0 {
            self.put('h', &[flat]);
        }
    }

    fn put(&mut self, command: char, numbers: &[i64]) {
        let mut follows = self.command == command && command == 'l';
        if !follows {
            self.d.push(command);
        }
        self.command = command;
        for &number in numbers {
            if follows && number >= 0 {
                self.d.push(' ');
            }
            write_tenths(number, &mut self.d);
            follows = true;
        }
    }
}

/// A number in tenths. What no picture holds is brought to its edge, far outside.
pub(super) fn tenths(value: f64) -> i64 {
    (value.clamp(-1e6, 1e6) * 10.0).round() as i64
}

/// Writes tenths as short as SVG allows: `12.5`, `12`, `-.5`.
pub(super) fn write_tenths(value: i64, out: &mut String) {
    let (whole, part) = (value.unsigned_abs() / 10, value.unsigned_abs() % 10);
    if value < 0 {
        out.push('-');
    }
    if whole > 0 || part == 0 {
        out.push_str(&whole.to_string());
    }
    if part > 0 {
        out.push('.');
        out.push(char::from(b'0' + part as u8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_relative_and_short() {
        let mut path = Path::new();
        path.move_to(62.0, 100.04);
        path.line_to(72.0, 99.5);
        path.line_to(82.0, 99.5);
        path.line_to(92.0, 99.52);
        path.line_to(92.0, 120.0);
        path.move_to(100.0, 120.0);
        path.line_to(101.0, 119.9);
        path.dot(5.0, 5.0);
        assert_eq!(path.finish(), "M62 100l10-.5h20v20.5m8 0 1-.1m-96-114.9h0");
    }

    #[test]
    fn a_box_ends_where_it_began() {
        let mut path = Path::new();
        path.rect((1.0, 2.0), (4.0, 8.0));
        path.rect((4.0, 2.0), (5.0, 3.0));
        assert_eq!(path.finish(), "M1 2h3v6h-3zm3 0h1v1h-1z");
    }

    #[test]
    fn rounding_does_not_add_up() {
        let mut path = Path::new();
        path.move_to(0.0, 0.0);
        for step in 1..=1_000 {
            path.line_to(f64::from(step) * 0.349, f64::from(step % 2));
        }
        assert_eq!(path.at, (3_490, 0));
    }
}
