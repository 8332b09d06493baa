#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_spirv_intrinsics : require
// OpSDot on words of four signed bytes (SPV_KHR_integer_dot_product): dp4a in one instruction where the device says so.

spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6019, 6018], id = 4450)
int sdot(uint a, uint b, spirv_literal int format);

const int PACKED_4X8_BIT = 0;

int dot4(uint a, uint b, int sum) {
    return sum + sdot(a, b, PACKED_4X8_BIT);
}

