/** The engine contract over real sockets: undici on one end, a small model server on the other. */
import { FAILS, startAnthropic } from '../../../tests/kit/anthropic.ts'
import { systemClock } from '../../base/clock.ts'
import { chatContract } from '../../engine/contract/chat.ts'
import { UndiciClient } from '../undici/client.ts'
import { AnthropicEngine } from './engine.ts'

chatContract('anthropic over undici', async () => {
  const server = await startAnthropic()
  const client = new UndiciClient()
  return {
    engine: new AnthropicEngine({ name: 'claude', url: server.url, clock: systemClock, client }),
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
