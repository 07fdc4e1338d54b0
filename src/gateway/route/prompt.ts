import { crc32 } from 'node:zlib'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { BLOCK_TOKENS, type Prompt } from '../../engine/health.ts'
import { UNITS_PER_TOKEN } from './size.ts'

/** The beginning of a prompt as a chain of hashes, one for each block: two prompts that share the first n
 *  share what an engine has cached of them. It is looked at as far as a fixed number of blocks, so that
 *  the length of a prompt makes no difference.
 *
 *  A block's hash is CRC-32 begun with that of the block before. Who makes two prompts collide sends his
 *  own request to a server that has not cached it. */

const BLOCK_UNITS = BLOCK_TOKENS * UNITS_PER_TOKEN
/** 16,384 tokens: what is longer is told apart by its beginning. */
const BLOCKS_MAX = 64
const MESSAGES_MAX = 256
const PARTS_MAX = 16
const TOOLS_MAX = 64
/** Of a picture its beginning and its length. */
const PICTURE_UNITS_MAX = 256

/** Of a chat completion body. Prompts shorter than a block have no blocks, and nothing to gain. */
export function promptOf(body: JsonObject, tokens: number): Prompt {
  const chain = new Chain()
  // Of vLLM: what has another salt shares no cache.
  const { cache_salt: salt, tools, messages } = body
  if (typeof salt === 'string') chain.add(salt)
  // Templates put tools before the conversation.
  for (const tool of listOf(tools, TOOLS_MAX)) addTool(chain, tool)
  for (const message of listOf(messages, MESSAGES_MAX)) {
    if (chain.isFull) break
    if (isObject(message)) addMessage(chain, message)
  }
  return { tokens, blocks: chain.blocks }
}

class Chain {
  readonly blocks: number[] = []
  #hash = 0
  #filled = 0

  get isFull(): boolean {
    return this.blocks.length >= BLOCKS_MAX
  }

  /** Something other begins: for next to nothing, as there may be many. */
  mark(code: number): void {
    this.#hash = Math.imul(this.#hash ^ code, 0x01000193) >>> 0
  }

  add(text: string): void {
    for (let at = 0; at < text.length && !this.isFull;) {
      const piece = text.slice(at, at + BLOCK_UNITS - this.#filled)
      this.#hash = crc32(piece, this.#hash)
      this.#filled += piece.length
      at += piece.length
      if (this.#filled < BLOCK_UNITS) return
      this.blocks.push(this.#hash)
      this.#filled = 0
    }
  }
}

function addTool(chain: Chain, tool: Json): void {
  const called = isObject(tool) ? tool['function'] : undefined
  if (!isObject(called)) return
  const { name, description } = called
  for (const text of [name, description]) if (typeof text === 'string') chain.add(text)
}

function addMessage(chain: Chain, { role, content }: JsonObject): void {
  // A user says something else than an assistant with the same words.
  chain.mark(typeof role === 'string' ? role.charCodeAt(0) : 0)
  if (typeof content === 'string') return chain.add(content)
  for (const part of listOf(content, PARTS_MAX)) {
    if (!isObject(part)) continue
    const { text, image_url: image } = part
    if (typeof text === 'string') chain.add(text)
    const url = isObject(image) ? image['url'] : image
    if (typeof url === 'string') chain.add(`${url.slice(0, PICTURE_UNITS_MAX)}${url.length}`)
  }
}

const listOf = (value: Json | undefined, most: number): readonly Json[] =>
  Array.isArray(value) ? (value as readonly Json[]).slice(0, most) : []
