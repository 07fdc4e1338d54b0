/** The engine contract over real sockets: undici on one end, a small model server on the other. */
import { bedrockEvent } from '../../../tests/kit/event-stream.ts'
import { FAILS, startWords, type WordDialect } from '../../../tests/kit/word-server.ts'
import { systemClock } from '../../base/clock.ts'
import { chatContract } from '../../engine/contract/chat.ts'
import { UndiciClient } from '../undici/client.ts'
import { BedrockEngine } from './engine.ts'

const usage = (count: number) => ({
  inputTokens: 5,
  cacheReadInputTokens: 2,
  cacheWriteInputTokens: 3,
  outputTokens: count,
  totalTokens: 10 + count,
})
const reason = (isCapped: boolean): string => (isCapped ? 'max_tokens' : 'end_turn')

const CONVERSE: WordDialect = {
  streamType: 'application/vnd.amazon.eventstream',
  read: ({ inferenceConfig }, path) => ({
    cap: (inferenceConfig as { readonly maxTokens: number }).maxTokens,
    stream: path.endsWith('/converse-stream'),
  }),
  whole: (words, isCapped) => ({
    output: { message: { role: 'assistant', content: [{ text: words.join('') }] } },
    stopReason: reason(isCapped),
    usage: usage(words.length),
  }),
  stream: (words, isCapped) => [
    bedrockEvent('messageStart', { role: 'assistant' }),
    ...words.map((text) => bedrockEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { text } })),
    bedrockEvent('contentBlockStop', { contentBlockIndex: 0 }),
    bedrockEvent('messageStop', { stopReason: reason(isCapped) }),
    bedrockEvent('metadata', { usage: usage(words.length), metrics: { latencyMs: 7 } }),
  ],
  failure: { status: 503, body: { message: 'told to' } },
  models: { modelSummaries: [{ modelId: 'weights' }] },
}

chatContract('bedrock over undici', async () => {
  const server = await startWords(CONVERSE)
  const client = new UndiciClient()
  const secret = (text: string) => ({ reveal: () => text })
  return {
    engine: new BedrockEngine({
      name: 'bedrock',
      url: server.url,
      region: 'eu-central-1',
      accessKeyId: secret('AKIA'),
      secretAccessKey: secret('s'),
      clock: systemClock,
      client,
    }),
    model: 'maker.weights-v1:0',
    messages: [{ role: 'user', content: 'Count.' }],
    failing: () => [{ role: 'user', content: [{ type: 'text', text: FAILS }] }],
    reportsUsage: true,
    async close() {
      await client.close()
      await server.close()
    },
  }
})
