# SPDX-License-Identifier: MIT
"""Writes the graph of a LLaMA in GGUF as ONNX, without its weights: usage: onnx_graph.py MODEL.gguf OUT.onnx POSITIONS

Input: ids [sequences, POSITIONS]. Output: logits [sequences, vocabulary] of the token after each sequence.
The weights are initializers with the names, dimensions and order of values that GGUF has; the program that runs the
graph supplies them. ONNX Runtime wants the file of external data to exist all the same, so an empty one is made.
"""

import os
import sys

import gguf
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """Nodes, named by their output, and what they need."""

    def __init__(self, external_file):
        self.external_file, self.external_bytes = external_file, 0
        self.nodes, self.initializers = [], []

    def __getattr__(self, operation):
        def add(*inputs, outputs=1, **attributes):
            names = [f"{operation}_{len(self.nodes)}_{i}" for i in range(outputs)]
            self.nodes.append(helper.make_node(operation, inputs, names, **attributes))
            return names[0] if outputs == 1 else names

        return add

    def constant(self, values, dtype=np.float32):
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def sizes(self, *values):
        return self.constant(values, np.int64)

    def weight(self, name, *dimensions):
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=dimensions,
                             data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value=self.external_file)
        self.initializers.append(tensor)
        self.external_bytes = max(self.external_bytes, 4 * int(np.prod(dimensions)))
        return name

    def linear(self, x, name, rows, columns):
        """x W^T. A MatMul would need W transposed, of which ONNX Runtime may keep a copy."""
        return self.Gemm(x, self.weight(name, rows, columns), transB=1)


def build(path, external_file, positions):
    reader = gguf.GGUFReader(path)

    def number(key):
        return reader.get_field("llama." + key).contents()

    layers, hidden, feed_forward = number("block_count"), number("embedding_length"), number("feed_forward_length")
    heads, kv_heads = number("attention.head_count"), number("attention.head_count_kv")
    head_dim = hidden // heads
    vocabulary = next(int(t.shape[1]) for t in reader.tensors if t.name == "token_embd.weight")

    g = Graph(external_file)
    epsilon, two = g.constant(number("attention.layer_norm_rms_epsilon")), g.constant(2)
    angles = np.outer(np.arange(positions), number("rope.freq_base") ** (-np.arange(0, head_dim, 2) / head_dim))
    cosine, sine = (g.constant(f(angles).reshape(positions, 1, head_dim // 2, 1)) for f in (np.cos, np.sin))
    causal = g.constant(np.triu(np.full((positions, positions), -np.inf), 1))
    scale = g.constant(head_dim**-0.5)
    rows = g.sizes(-1, hidden)

    def norm(x, name):
        mean = g.ReduceMean(g.Pow(x, two), axes=[-1])
        return g.Mul(g.Div(x, g.Sqrt(g.Add(mean, epsilon))), g.weight(name, hidden))

    def by_head(x, count):
        """[sequences, count, positions, head_dim]"""
        return g.Transpose(g.Reshape(x, g.sizes(-1, positions, count, head_dim)), perm=[0, 2, 1, 3])

    def rotate(x, count):
        """Turns each pair of adjacent elements, as GGUF orders them."""
        pairs = g.Reshape(x, g.sizes(-1, positions, count, head_dim // 2, 2))
        a, b = g.Split(pairs, axis=-1, outputs=2)
        return g.Concat(g.Sub(g.Mul(a, cosine), g.Mul(b, sine)), g.Add(g.Mul(a, sine), g.Mul(b, cosine)), axis=-1)

    x = g.Reshape(g.Gather(g.weight("token_embd.weight", vocabulary, hidden), "ids"), rows)
    for layer in range(layers):
        prefix = f"blk.{layer}."
        h = norm(x, prefix + "attn_norm.weight")
        q = by_head(rotate(g.linear(h, prefix + "attn_q.weight", hidden, hidden), heads), heads)
        k = by_head(rotate(g.linear(h, prefix + "attn_k.weight", kv_heads * head_dim, hidden), kv_heads), kv_heads)
        v = by_head(g.linear(h, prefix + "attn_v.weight", kv_heads * head_dim, hidden), kv_heads)
        # Query heads in groups, each of which shares a head of keys and values.
        q = g.Reshape(q, g.sizes(-1, kv_heads, heads // kv_heads, positions, head_dim))
        k, v = (g.Unsqueeze(t, g.sizes(2)) for t in (k, v))
        scores = g.Add(g.Mul(g.MatMul(q, g.Transpose(k, perm=[0, 1, 2, 4, 3])), scale), causal)
        mixed = g.Reshape(g.MatMul(g.Softmax(scores), v), g.sizes(-1, heads, positions, head_dim))
        mixed = g.Reshape(g.Transpose(mixed, perm=[0, 2, 1, 3]), rows)
        x = g.Add(x, g.linear(mixed, prefix + "attn_output.weight", hidden, hidden))
        h = norm(x, prefix + "ffn_norm.weight")
        gate = g.linear(h, prefix + "ffn_gate.weight", feed_forward, hidden)
        up = g.linear(h, prefix + "ffn_up.weight", feed_forward, hidden)
        x = g.Add(x, g.linear(g.Mul(g.Mul(gate, g.Sigmoid(gate)), up), prefix + "ffn_down.weight", hidden, feed_forward))

    x = g.Reshape(norm(x, "output_norm.weight"), g.sizes(-1, positions, hidden))
    last = g.Reshape(g.Slice(x, g.sizes(positions - 1), g.sizes(positions), g.sizes(1)), rows)
    g.nodes.append(helper.make_node("Gemm", [last, "token_embd.weight"], ["logits"], transB=1))
    graph = helper.make_graph(g.nodes, "llama",
                              [helper.make_tensor_value_info("ids", TensorProto.INT64, ["sequences", positions])],
                              [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["sequences", vocabulary])], g.initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), g.external_bytes


def main():
    path, out, positions = sys.argv[1], sys.argv[2], int(sys.argv[3])
    external_file = os.path.basename(out) + ".data"
    model, external_bytes = build(path, external_file, positions)
    with open(os.path.join(os.path.dirname(out), external_file), "wb") as file:
        file.truncate(external_bytes)
    onnx.save(model, out)


if __name__ == "__main__":
    main()
