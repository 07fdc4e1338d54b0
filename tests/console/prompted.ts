import { chance } from '../kit/metered.ts'
import { serveMetered, type ServedHouse } from './metered.ts'

/** A house with a prompt that has a history, and requests that were made from it. */

const SYSTEM = [
  'You help customers of {{company}}.',
  'Be polite, and answer in {{language}}.',
  'Cite the page that an answer rests on.',
]
const VERSIONS = [
  { text: SYSTEM, note: 'first' },
  { text: [...SYSTEM, 'Never promise a refund.'], note: 'refunds are for people' },
  { text: ['You help customers of {{company}}.', ...SYSTEM.slice(1), 'Answer in two sentences at most.'], note: '' },
]
const LANGUAGE = { type: 'string', enum: ['English', 'German'], default: 'English' }

export async function servePrompted(dist: string): Promise<ServedHouse> {
  const house = await serveMetered(dist, 'log: { level: error }')
  for (const { text, note } of VERSIONS)
    await house.call('POST', '/api/prompts/support', {
      messages: [{ role: 'system', content: text.join('\n') }],
      variables: { language: LANGUAGE },
      settings: { temperature: 0.2 },
      note,
    })
  await house.call('POST', '/api/prompts/summary', { messages: [{ role: 'system', content: 'Say it in one line.' }] })
  const turn = (version: number, reason: string) =>
    house.call('POST', '/api/prompts/support/labels/production', { version, reason })
  await turn(1, 'it is all there is')
  await turn(2, 'reviewed by Ann')
  await house.call('POST', '/api/prompts/support/labels/canary', { version: 3 })
  const bodies = Array.from({ length: 120 }, (_, at) => ({
    hoursAgo: at * 2,
    prompt: at < 30 ? 'support@3' : at < 110 ? 'support@2' : 'support@1',
    outcome: chance(`${at} outcome`) < 0.03 ? 'failed' : 'answered',
    totalMs: 300 + Math.round(chance(`${at} ms`) * 2_000),
    firstTokenMs: 40 + Math.round(chance(`${at} first`) * 200),
    usage: { inputTokens: 900, cachedInputTokens: 0, outputTokens: 120, reasoningTokens: 0 },
    costNanoUsd: String(3_000_000 + Math.round(chance(`${at} cost`) * 2_000_000)),
  }))
  await house.used(...bodies)
  return house
}
