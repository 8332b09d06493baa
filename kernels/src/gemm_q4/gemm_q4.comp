// prelude: gemm_q4/tile.glsl
// For every device: bytes are widened and multiplied one by one.

ivec4 bytes_of(uint word) {
    int bits = int(word);
    return ivec4(bits << 24, bits << 16, bits << 8, bits) >> 24;
}

int dot4(uint a, uint b, int sum) {
    ivec4 products = bytes_of(a) * bytes_of(b);
    return sum + (products.x + products.y) + (products.z + products.w);
}
