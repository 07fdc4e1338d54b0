import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loaded, matches, problemsOf } from '../../tests/kit/config.ts'
import { pathText } from '../config/problem.ts'
import { declaredIn } from './declared.ts'

const MODELS = `
engines: { local: { kind: openai, url: 'http://h/v1' } }
models:
  large: { deployments: [{ engine: local, model: large }] }
  small: { deployments: [{ engine: local, model: small }] }
`

async function declared(yaml: string) {
  const found = declaredIn((await loaded(MODELS + yaml)).config)
  assert.ok(!Array.isArray(found), JSON.stringify(found))
  return found
}

async function refused(yaml: string): Promise<string[]> {
  const found = declaredIn((await loaded(MODELS + yaml)).config)
  assert.ok(Array.isArray(found), 'accepted')
  return found.map(({ path, wrong, remedy }) => `${pathText(path)} ${wrong} | ${remedy}`)
}

test('the example of the handbook: several units are several budgets, and names are made of what they are', async () => {
  const { budgets } = await declared(`
budgets:
  - { scope: request,  limit: { outputTokens: 4000 } }
  - { scope: user,     limit: { tokens: 200000, usd: "0.5" }, window: day, timeZone: Europe/Berlin }
  - { scope: workflow, match: docs, limit: { usd: 50 }, window: month, onLimit: { degradeTo: small } }
  - { scope: team,     match: "*",  limit: { usd: 500 }, window: month, warnAt: [0.5, 0.8] }
  - { id: trial, scope: tag, match: beta, limit: { requests: 10 }, window: 30d, onLimit: warn }
`)
  const day = { kind: 'calendar', unit: 'day', zone: 'Europe/Berlin' }
  const month = { kind: 'calendar', unit: 'month', zone: 'UTC' }
  const refuse = { kind: 'refuse' }
  assert.deepEqual(budgets, [
    {
      id: 'request-request-output-tokens',
      scope: 'request',
      unit: 'outputTokens',
      limit: 4000,
      window: { kind: 'request' },
      action: { kind: 'clamp', minimum: 1 },
      warnAt: [],
    },
    {
      id: 'user-each-day-tokens',
      scope: 'user',
      match: '*',
      unit: 'totalTokens',
      limit: 200_000,
      window: day,
      action: refuse,
      warnAt: [],
    },
    {
      id: 'user-each-day-usd',
      scope: 'user',
      match: '*',
      unit: 'nanoUsd',
      limit: 500_000_000,
      window: day,
      action: refuse,
      warnAt: [],
    },
    {
      id: 'workflow-docs-month-usd',
      scope: 'workflow',
      match: 'docs',
      unit: 'nanoUsd',
      limit: 50_000_000_000,
      window: month,
      action: { kind: 'degrade', to: 'small' },
      warnAt: [],
    },
    {
      id: 'team-each-month-usd',
      scope: 'team',
      match: '*',
      unit: 'nanoUsd',
      limit: 500_000_000_000,
      window: month,
      action: refuse,
      warnAt: [0.5, 0.8],
    },
    {
      id: 'trial',
      scope: 'tag',
      match: 'beta',
      unit: 'requests',
      limit: 10,
      window: { kind: 'rolling', durationMs: 30 * 86_400_000 },
      action: { kind: 'warn' },
      warnAt: [],
    },
  ])
})

test('rate limits roll, and concurrency has no time', async () => {
  const { budgets, rateLimits } = await declared(
    'rateLimits: [{ scope: key, limit: { requests: 60, tokens: 90000, concurrent: 4 } }, { scope: global, limit: { requests: 5 }, per: second }]',
  )
  assert.deepEqual(budgets, [])
  assert.deepEqual(
    rateLimits.map(({ id, unit, limit, window }) => [
      id,
      unit,
      limit,
      window.kind === 'rolling' ? window.durationMs : window.kind,
    ]),
    [
      ['key-each-minute-requests', 'requests', 60, 60_000],
      ['key-each-minute-tokens', 'totalTokens', 90_000, 60_000],
      ['key-each-at-once-concurrent', 'concurrent', 4, 'lifetime'],
      ['global-second-requests', 'requests', 5, 1000],
    ],
  )
})

test('limits that are none, and windows that are none, are refused where they stand', async () => {
  matches(
    await problemsOf(`${MODELS}budgets:
  - { scope: user, limit: { tokens: -5 }, window: day }
  - { scope: user, limit: { usd: 0 }, window: day }
  - { scope: user, limit: { usd: "1e9" }, window: day }
  - { scope: user, limit: { usd: 9000001 }, window: day }
  - { scope: users, limit: { usd: 1 }, window: fortnight }
  - { scope: user, limit: { dollars: 1 }, window: day, onLimit: stop, warnAt: [1.5] }
`),
    /^\d+:\d+ budgets\[0\]\.limit\.tokens = -5 is below 1 \| Write a whole number/,
    /^\d+:\d+ budgets\[1\]\.limit\.usd = 0 is no limit in US dollars \| Write an amount above 0/,
    /^\d+:\d+ budgets\[2\]\.limit\.usd = "1e9" is no limit in US dollars/,
    /^\d+:\d+ budgets\[3\]\.limit\.usd = 9000001 is no limit in US dollars/,
    /^\d+:\d+ budgets\[4\]\.scope = "users" is not among the choices \| Did you mean "user"\?/,
    /^\d+:\d+ budgets\[4\]\.window = "fortnight" is no window of time \| Write request, minute, hour/,
    /^\d+:\d+ budgets\[5\]\.limit\.dollars is not a known field/,
    /^\d+:\d+ budgets\[5\]\.onLimit = "stop" /,
    /^\d+:\d+ budgets\[5\]\.warnAt\[0\] = 1\.5 is above 1/,
  )
})

test('what only makes no sense together is refused with its path and a remedy', async () => {
  matches(
    await refused(`budgets:
  - { scope: user, limit: { usd: 1 } }
  - { scope: user, limit: { usd: 1 }, window: day, timeZone: Europe/Bern }
  - { scope: team, match: a, limit: { usd: 1, tokens: 5 }, window: month }
  - { scope: team, match: a, limit: { usd: 2 }, window: month, id: other }
  - { scope: global, match: x, limit: { usd: 2 }, window: month }
  - { scope: request, limit: { usd: 2 }, window: day }
  - { scope: key, limit: { requests: 2 }, window: day, onLimit: { clamp: { outputTokensMin: 1 } } }
  - { scope: tenant, limit: { tokens: 2 }, window: day, onLimit: { degradeTo: smal } }
`),
    /^budgets\[0\]\.window is missing \| Say over which time/,
    /^budgets\[1\]\.timeZone is no time zone \| Use a name of the IANA database/,
    /^budgets\[4\]\.match has no meaning for the scope global/,
    /^budgets\[5\]\.window outlives the request that it is for/,
    /^budgets\[6\]\.onLimit cannot clamp requests/,
    /^budgets\[3\] contradicts budget|^budgets\[3\] contradicts entry 2/,
    /^budgets\[7\]\.onLimit\.degradeTo names no model \| Name one of/,
  )
  matches(
    await refused(`budgets: [{ id: one, scope: user, limit: { tokens: 5 }, window: day }]
rateLimits: [{ id: one, scope: user, limit: { tokens: 5 } }]`),
    /^rateLimits\[0\]\.id is the id of a budget too/,
  )
})
