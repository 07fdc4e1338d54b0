/** The engine contract over real sockets: undici on one end, a small model server on the other. */
import { FAILS, startWords, type WordDialect } from '../../../tests/kit/word-server.ts'
import { systemClock } from '../../base/clock.ts'
import { chatContract } from '../../engine/contract/chat.ts'
import { UndiciClient } from '../undici/client.ts'
import { GeminiEngine } from './engine.ts'

const usageMetadata = (count: number) => ({
  promptTokenCount: 9,
  cachedContentTokenCount: 2,
  candidatesTokenCount: count,
  totalTokenCount: 9 + count,
})
const candidate = (text: string, finishReason?: string) => ({
  content: { role: 'model', parts: [{ text }] },
  index: 0,
  ...(finishReason === undefined ? {} : { finishReason }),
})
const event = (fields: object): string => `data: ${JSON.stringify({ modelVersion: 'weights-001', ...fields })}\r\n\r\n`
const reason = (isCapped: boolean): string => (isCapped ? 'MAX_TOKENS' : 'STOP')

const GEMINI: WordDialect = {
  streamType: 'text/event-stream',
  read: ({ generationConfig }, path) => ({
    cap: (generationConfig as { readonly maxOutputTokens: number }).maxOutputTokens,
    stream: path.includes(':streamGenerateContent?alt=sse'),
  }),
  whole: (words, isCapped) => ({
    candidates: [candidate(words.join(''), reason(isCapped))],
    usageMetadata: usageMetadata(words.length),
    modelVersion: 'weights-001',
  }),
  stream: (words, isCapped) => [
    ...words
      .slice(0, -1)
      .map((word, at) => event({ candidates: [candidate(word)], usageMetadata: usageMetadata(at + 1) })),
    event({
      candidates: [candidate(words.at(-1) ?? '', reason(isCapped))],
      usageMetadata: usageMetadata(words.length),
    }),
  ],
  failure: { status: 503, body: { error: { code: 503, message: 'told to', status: 'UNAVAILABLE' } } },
  models: { models: [{ name: 'models/weights' }] },
}

chatContract('gemini over undici', async () => {
  const server = await startWords(GEMINI)
  const client = new UndiciClient()
  return {
    engine: new GeminiEngine({ name: 'gemini', url: `${server.url}/v1beta`, clock: systemClock, client }),
    model: 'weights',
    messages: [{ role: 'user', content: 'Count.' }],
    failing: () => [{ role: 'user', content: FAILS }],
    reportsUsage: true,
    async close() {
      await client.close()
      await server.close()
    },
  }
})
