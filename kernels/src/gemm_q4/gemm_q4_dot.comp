// prelude: gemm_q4/tile.glsl
// For devices with a packed dot product: OpSDot on words of four signed bytes (SPV_KHR_integer_dot_product).

spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6019, 6018], id = 4450)
int sdot(uint a, uint b, spirv_literal int format);

const int PACKED_4X8_BIT = 0;

int dot4(uint a, uint b, int sum) {
    return sum + sdot(a, b, PACKED_4X8_BIT);
}
