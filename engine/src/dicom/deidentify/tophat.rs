//! What is thinner than a stroke's width: the grey-scale top-hat (Serra 1982), by a square.

/// An image of eight bits.
#[derive(Debug, Clone)]
pub(super) struct Grey {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<u8>,
}

impl Grey {
    /// Half the size, by the mean of four.
    pub(super) fn halved(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let pixels = (0..height * width).map(|at| {
            let (row, column) = (2 * (at / width), 2 * (at % width));
            let pixel =
                |row: usize, column: usize| u32::from(self.pixels[row * self.width + column]);
            let sum = pixel(row, column)
                + pixel(row, column + 1)
                + pixel(row + 1, column)
                + pixel(row + 1, column + 1);
            (sum / 4) as u8
        });
        Self { width, height, pixels: pixels.collect() }
    }

    /// Dark for light.
    pub(super) fn inverted(&self) -> Self {
        Self { pixels: self.pixels.iter().map(|pixel| 255 - pixel).collect(), ..*self }
    }

    /// The image less its opening by a square of `2 × radius + 1`: light strokes that are no wider, by how
    /// much they stand out.
    pub(super) fn top_hat(&self, radius: usize) -> Vec<u8> {
        let opened = self.extreme(radius, u8::min, 255).extreme(radius, u8::max, 0);
        self.pixels
            .iter()
            .zip(opened.pixels)
            .map(|(pixel, opened)| pixel.saturating_sub(opened))
            .collect()
    }

    /// The least or the largest value of the square around each pixel; `nothing` lies beyond the edges.
    fn extreme(&self, radius: usize, of: fn(u8, u8) -> u8, nothing: u8) -> Self {
        let across = self.along(radius, of, nothing);
        let down = across.turned().along(radius, of, nothing);
        down.turned()
    }

    fn turned(&self) -> Self {
        let mut pixels = vec![0; self.pixels.len()];
        for (row, line) in self.pixels.chunks_exact(self.width).enumerate() {
            for (column, pixel) in line.iter().enumerate() {
                pixels[column * self.height + row] = *pixel;
            }
        }
        Self { width: self.height, height: self.width, pixels }
    }

    /// Along the rows: windows that double in length, and two of them that overlap for the rest.
    fn along(&self, radius: usize, of: fn(u8, u8) -> u8, nothing: u8) -> Self {
        let window = 2 * radius + 1;
        let doubled = window.ilog2();
        let mut pixels = Vec::with_capacity(self.pixels.len());
        let mut padded = vec![nothing; self.width + 2 * radius];
        for line in self.pixels.chunks_exact(self.width) {
            padded.fill(nothing);
            padded[radius..radius + self.width].copy_from_slice(line);
            for step in (0..doubled).map(|power| 1 << power) {
                for at in 0..padded.len() - step {
                    padded[at] = of(padded[at], padded[at + step]);
                }
            }
            let rest = window - (1 << doubled);
            pixels.extend((0..self.width).map(|at| of(padded[at], padded[at + rest])));
        }
        Self { width: self.width, height: self.height, pixels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_those_of_the_definition() {
        let pixels: Vec<u8> = (0..13 * 9).map(|at: u32| (at * 89 % 251) as u8).collect();
        let image = Grey { width: 13, height: 9, pixels };
        for radius in [1, 2, 3] {
            let least = image.extreme(radius, u8::min, 255);
            for row in 0..9_usize {
                for column in 0..13_usize {
                    let rows = row.saturating_sub(radius)..(row + radius + 1).min(9);
                    let expected = rows
                        .flat_map(|row| {
                            let columns =
                                column.saturating_sub(radius)..(column + radius + 1).min(13);
                            columns.map(move |column| row * 13 + column)
                        })
                        .map(|at| image.pixels[at])
                        .min();
                    assert_eq!(Some(least.pixels[row * 13 + column]), expected);
                }
            }
        }
    }

    #[test]
    fn strokes_stand_out_and_fields_do_not() {
        let mut image = Grey { width: 40, height: 20, pixels: vec![50; 800] };
        for row in 2..18 {
            // A stroke of two, a field of fifteen.
            image.pixels[row * 40 + 4..row * 40 + 6].fill(200);
            image.pixels[row * 40 + 20..row * 40 + 35].fill(200);
        }
        let hat = image.top_hat(2);
        assert_eq!(hat[10 * 40 + 4], 150);
        assert_eq!(hat[10 * 40 + 27], 0);
    }
}
