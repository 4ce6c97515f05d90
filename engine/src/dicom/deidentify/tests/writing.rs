//! Letters as acquisition stations write them: a matrix of dots, larger or smaller, sharp or softened.

/// Five columns by seven rows, a bit a dot, the highest bit on the left.
const FONT: [(char, [u8; 7]); 27] = [
    ('A', [0x0E, 0x11, 0x11, 0x1F, 0x11, 0x11, 0x11]),
    ('B', [0x1E, 0x11, 0x11, 0x1E, 0x11, 0x11, 0x1E]),
    ('D', [0x1E, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1E]),
    ('E', [0x1F, 0x10, 0x10, 0x1E, 0x10, 0x10, 0x1F]),
    ('G', [0x0E, 0x11, 0x10, 0x17, 0x11, 0x11, 0x0E]),
    ('H', [0x11, 0x11, 0x11, 0x1F, 0x11, 0x11, 0x11]),
    ('I', [0x0E, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0E]),
    ('J', [0x07, 0x02, 0x02, 0x02, 0x02, 0x12, 0x0C]),
    ('L', [0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1F]),
    ('M', [0x11, 0x1B, 0x15, 0x15, 0x11, 0x11, 0x11]),
    ('N', [0x11, 0x11, 0x19, 0x15, 0x13, 0x11, 0x11]),
    ('O', [0x0E, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0E]),
    ('P', [0x1E, 0x11, 0x11, 0x1E, 0x10, 0x10, 0x10]),
    ('R', [0x1E, 0x11, 0x11, 0x1E, 0x14, 0x12, 0x11]),
    ('S', [0x0F, 0x10, 0x10, 0x0E, 0x01, 0x01, 0x1E]),
    ('T', [0x1F, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04]),
    ('0', [0x0E, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0E]),
    ('1', [0x04, 0x0C, 0x04, 0x04, 0x04, 0x04, 0x0E]),
    ('2', [0x0E, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1F]),
    ('3', [0x1F, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0E]),
    ('4', [0x02, 0x06, 0x0A, 0x12, 0x1F, 0x02, 0x02]),
    ('5', [0x1F, 0x10, 0x1E, 0x01, 0x01, 0x11, 0x0E]),
    ('6', [0x06, 0x08, 0x10, 0x1E, 0x11, 0x11, 0x0E]),
    ('9', [0x0E, 0x11, 0x11, 0x0F, 0x01, 0x02, 0x0C]),
    ('-', [0x00, 0x00, 0x00, 0x1F, 0x00, 0x00, 0x00]),
    (':', [0x00, 0x0C, 0x0C, 0x00, 0x0C, 0x0C, 0x00]),
    (' ', [0; 7]),
];

/// A picture of grey values between 0 and 1.
#[derive(Clone)]
pub(super) struct Picture {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<f32>,
}

impl Picture {
    /// Something like a chest: a bright body with darker lungs, crossed by ribs, with the grain of a
    /// detector.
    pub(super) fn chest(width: usize, height: usize) -> Self {
        let mut state = 7_u32;
        let pixels = (0..width * height).map(|at| {
            let x = (at % width) as f32 / width as f32;
            let y = (at / width) as f32 / height as f32;
            let lung = |center: f32| {
                let (a, b) = ((x - center) / 0.17, (y - 0.45) / 0.3);
                (-(a * a + b * b).powi(2)).exp()
            };
            let ribs = 0.08 * (40.0 * (y + 0.3 * (x - 0.5).powi(2))).sin();
            let body = if (x - 0.5).abs() < 0.45 { 0.65 } else { 0.05 };
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (state >> 16) as f32 / 65_536.0 - 0.5;
            (body - 0.45 * (lung(0.28) + lung(0.72)) + ribs * body + 0.03 * grain).clamp(0.0, 1.0)
        });
        Self { width, height, pixels: pixels.collect() }
    }

    /// Writes a text from (`left`, `top`), a dot as large as `dot` pixels.
    pub(super) fn write(&mut self, text: &str, (left, top): (usize, usize), dot: usize, grey: f32) {
        for (index, letter) in text.chars().enumerate() {
            let (_, rows) = FONT.iter().find(|(known, _)| *known == letter).unwrap();
            for (at, _) in
                (0..35).map(|at| (at, rows[at / 5] >> (4 - at % 5) & 1)).filter(|(_, on)| *on == 1)
            {
                let (x, y) = (left + (index * 6 + at % 5) * dot, top + at / 5 * dot);
                for row in y..(y + dot).min(self.height) {
                    let line = row * self.width;
                    self.pixels[line + x..line + (x + dot).min(self.width)].fill(grey);
                }
            }
        }
    }

    /// Softened, as by a screen or a lossy compression.
    pub(super) fn softened(&self) -> Self {
        let mut soft = self.clone();
        for row in 1..self.height - 1 {
            for column in 1..self.width - 1 {
                let around = (0..9)
                    .map(|at| self.pixels[(row + at / 3 - 1) * self.width + column + at % 3 - 1]);
                soft.pixels[row * self.width + column] = around.sum::<f32>() / 9.0;
            }
        }
        soft
    }

    /// Turned by a quarter.
    pub(super) fn turned(&self) -> Self {
        let pixels = (0..self.pixels.len())
            .map(|at| self.pixels[(at % self.height) * self.width + at / self.height]);
        Self { width: self.height, height: self.width, pixels: pixels.collect() }
    }

    /// Stored values of so many bits.
    pub(super) fn values(&self, bits: u32) -> Vec<i32> {
        let largest = ((1_u32 << bits) - 1) as f32;
        self.pixels.iter().map(|pixel| (pixel * largest).round() as i32).collect()
    }
}
