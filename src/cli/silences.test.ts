import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isObject } from '../base/json.ts'
import { ToldApi, type } from '../../tests/kit/terminal.ts'

test('a silence is made for what is named, listed, and ended', async () => {
  const silence = {
    id: 'sil_1',
    matcher: { kind: 'objective_burn', subject: { model: 'chat\u001b[31m' } },
    until: '2026-11-22T18:00:00.000Z',
    by: 'ops',
    reason: 'upgrade',
  }
  const api = new ToldApi({
    'POST /api/alerts/silences': silence,
    'GET /api/alerts/silences': { silences: [silence] },
    'DELETE /api/alerts/silences/sil_1': { id: 'sil_1', ended: true },
  })
  const words = [
    'alerts',
    'silence',
    '--kind',
    'objective_burn',
    '--where',
    'model=chat,team=web',
    '--reason',
    'upgrade',
  ]
  const made = await type(words, { api })
  assert.equal(made.exit, 0)
  const body = api.asked[0]?.body
  assert.ok(isObject(body))
  assert.deepEqual(
    [body['matcher'], body['reason']],
    [{ kind: 'objective_burn', subject: { model: 'chat', team: 'web' } }, 'upgrade'],
  )
  assert.match(made.out, /sil_1 holds until 2026-11-22T18:00 UTC/)
  const listed = await type(['alerts', 'silences'], { api })
  assert.match(listed.out, /sil_1 +objective_burn model=chat.* +2026-11-22T18:00 +ops +upgrade/)
  assert.ok(!listed.out.includes('\u001b[31m'))
  assert.match((await type(['alerts', 'unsilence', 'sil_1'], { api })).out, /sil_1 is ended/)
})

test('what names nothing is wrong use, and reaches no house', async () => {
  for (const words of [
    ['--where', 'model'],
    ['--where', '=chat'],
    ['--until', 'soon'],
  ]) {
    const { exit } = await type(['alerts', 'silence', '--reason', 'x', ...words], { api: new ToldApi({}) })
    assert.equal(exit, 2, words.join(' '))
  }
})
