// The gradient of an embedding: row v is the sum of the rows of dy whose token is v, in their order; zero without any.
// Mirrors train_step_embedding.cu.
//   ids      tokens words below rows
//   dy       tokens rows of quads vec4
//   dtable   rows of quads vec4
//   grid     any number of workgroups of 256 invocations: workgroups stride over the table's rows; 1 KiB of shared memory
// 256 tokens are compared with a row at a time; most rows have none.
#version 450
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint tokens, quads, rows; };
layout(std430, binding = 0) readonly buffer Ids { uint ids[]; };
layout(std430, binding = 1) readonly buffer Dy { vec4 dy[]; };
layout(std430, binding = 2) buffer Dtable { vec4 dtable[]; };

const uint LANES = 256;
shared bool chosen[LANES];
shared uint count;

void main() {
    uint lane = gl_LocalInvocationIndex;
    for (uint row = gl_WorkGroupID.x; row < rows; row += gl_NumWorkGroups.x) {
        for (uint first = 0; first < tokens; first += LANES) {
            barrier();  // nobody needs the last comparisons any more
            if (lane == 0) {
                count = 0;
            }
            barrier();
            chosen[lane] = first + lane < tokens && ids[min(first + lane, tokens - 1)] == row;
            if (chosen[lane]) {
                atomicAdd(count, 1);
            }
            barrier();
            if (first > 0 && count == 0) {
                continue;
            }
            for (uint i = lane; i < quads; i += LANES) {
                vec4 sum = first > 0 ? dtable[row * quads + i] : vec4(0);
                for (uint at = 0; count > 0 && at < LANES; ++at) {
                    if (chosen[at]) {
                        sum += dy[(first + at) * quads + i];
                    }
                }
                dtable[row * quads + i] = sum;
            }
        }
    }
}
