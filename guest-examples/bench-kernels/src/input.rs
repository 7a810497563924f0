//! Input that is always the same and has no pattern that a kernel could use.

/// Numbers of a xorshift generator (Marsaglia, 2003).
pub struct Numbers(u32);

impl Numbers {
    pub fn new() -> Self {
        Self(2_463_534_242)
    }
}

impl Iterator for Numbers {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        Some(self.0)
    }
}
