"""Writes a very small language model with random weights, for a real model server to serve.

It says words of a fixed list in an order that nobody could foresee, and never stops by itself:
enough to stream, count, cut off and cancel. The seed makes it the same every time.
"""

import sys

import gguf
import numpy as np

WORDS = (
    "amber anchor autumn beacon birch candle cedar cinder clover copper coral crane dawn delta drift ember "
    "falcon fern flint forest garnet glade granite grove harbor hazel heron indigo iris island ivory jasper "
    "juniper kelp lagoon lantern larch linen lotus maple marble meadow mist moss nectar oak oasis ochre olive "
    "onyx opal orchid pebble pine plum quartz quill raven reed ridge river rowan sable saffron sage shale "
    "silver slate sparrow spruce stone storm summit swift tern thistle thyme timber topaz umber valley velvet "
    "violet walnut willow winter wren yarrow zephyr"
).split()

WIDTH, HEADS, LAYERS, FEED, CONTEXT = 64, 4, 2, 128, 2048


def main(path):
    random = np.random.default_rng(1847)
    control = ["<unk>", "<s>", "</s>"]
    letters = [f"<0x{byte:02X}>" for byte in range(256)]
    space = ["\u2581"]
    words = [f"\u2581{word}" for word in WORDS]
    tokens = control + letters + space + words
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * len(letters) + [gguf.TokenType.NORMAL] * len(space + words)

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("random words")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)

    def weights(*shape):
        return (random.standard_normal(shape) * 0.3).astype(np.float32)

    def ones(size):
        return np.ones(size, dtype=np.float32)

    writer.add_tensor("token_embd.weight", weights(len(tokens), WIDTH))
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{block}{name}.weight", weights(WIDTH, WIDTH))
        writer.add_tensor(f"{block}ffn_gate.weight", weights(FEED, WIDTH))
        writer.add_tensor(f"{block}ffn_up.weight", weights(FEED, WIDTH))
        writer.add_tensor(f"{block}ffn_down.weight", weights(WIDTH, FEED))
        writer.add_tensor(f"{block}attn_norm.weight", ones(WIDTH))
        writer.add_tensor(f"{block}ffn_norm.weight", ones(WIDTH))
    writer.add_tensor("output_norm.weight", ones(WIDTH))
    # Only words can win: the rows of all other tokens are zero.
    output = weights(len(tokens), WIDTH)
    output[: len(tokens) - len(words)] = 0
    writer.add_tensor("output.weight", output)

    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main(sys.argv[1])
