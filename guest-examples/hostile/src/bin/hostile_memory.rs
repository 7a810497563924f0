//! Hostile: allocates memory and writes to every byte of it until it gets no more, then
//! panics.

const BLOCK_BYTES: usize = 1 << 20;

fn main() {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut block = Vec::new();
        let refused = block.try_reserve_exact(BLOCK_BYTES).is_err() || blocks.try_reserve(1).is_err();
        assert!(!refused, "more memory was refused after {} MiB", blocks.len());
        // Not zero, because a page of zeros may need no real memory.
        block.resize(BLOCK_BYTES, 0xA5);
        blocks.push(std::hint::black_box(block));
    }
}
