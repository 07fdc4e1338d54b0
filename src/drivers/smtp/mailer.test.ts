import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { SMTPServer } from 'smtp-server'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { silentLog } from '../../base/log.ts'
import { seededRandom } from '../../base/random.ts'
import { Alerts } from '../../meter/alerts/alerts.ts'
import { Deliveries } from '../../meter/alerts/deliveries.ts'
import { email, type Mailer } from '../../meter/alerts/email.ts'
import { Silences } from '../../meter/alerts/silences.ts'
import { MemoryQueue } from '../memory/queue.ts'
import { MemoryRows } from '../memory/rows.ts'
import { openMailer } from './mailer.ts'

/** A real SMTP server that takes what comes, in memory. */
async function serve(t: TestContext, options: { readonly fails?: number; readonly refuses?: string } = {}) {
  const mails: { readonly from: string; readonly to: string[]; readonly text: string }[] = []
  const signedIn: string[] = []
  let fails = options.fails ?? 0
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth({ username, password }, _, done) {
      if (password !== 'right') return done(new Error('Invalid username or password'))
      signedIn.push(String(username))
      done(null, { user: username ?? '' })
    },
    onRcptTo({ address }, _, done) {
      done(address === options.refuses ? new Error('no such mailbox') : null)
    },
    onData(stream, session, done) {
      const pieces: Buffer[] = []
      stream.on('data', (piece: Buffer) => pieces.push(piece))
      stream.on('end', () => {
        if (fails-- > 0) return done(new Error('the disk is full'))
        const { mailFrom, rcptTo } = session.envelope
        const from = mailFrom === false ? '' : (mailFrom?.address ?? '')
        mails.push({ from, to: rcptTo.map(({ address }) => address), text: Buffer.concat(pieces).toString() })
        done()
      })
    },
  })
  server.on('error', () => {}) // A client that gives up.
  const listening = server.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())))
  const { port } = listening.address() as { readonly port: number }
  return { server: `smtp://127.0.0.1:${port}`, mails, signedIn }
}

const MAIL = { from: 'ai@example.org', to: ['a@example.org', 'b@example.org'], subject: 'S', text: 'T\n', id: 'msg_1' }

test('a mail is taken for every address, under an id of its own', async (t) => {
  const { server, mails, signedIn } = await serve(t)
  await openMailer({ server, user: 'ops', password: 'right' }).send({ ...MAIL, subject: 'Größe\r\nBcc: x@example.org' })
  const [mail, ...more] = mails
  assert.deepEqual([mail?.from, mail?.to, more], [MAIL.from, MAIL.to, []])
  assert.match(mail?.text ?? '', /^Message-ID: <msg_1@example\.org>/m)
  assert.doesNotMatch(mail?.text ?? '', /^Bcc:/m)
  assert.deepEqual(signedIn, ['ops'])
})

test('a wrong password, an address that is refused and a server that is not there are failures', async (t) => {
  const { server, mails } = await serve(t, { refuses: 'b@example.org' })
  await assert.rejects(
    openMailer({ server, user: 'ops', password: 'wrong' }).send(MAIL),
    /Invalid username or password/,
  )
  await assert.rejects(openMailer({ server }).send(MAIL), /refused 1 of the addresses/)
  assert.equal(mails.length, 1)
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address() as { readonly port: number }
  await new Promise((resolve) => void closed.close(resolve))
  await assert.rejects(openMailer({ server: `smtp://127.0.0.1:${port}` }).send(MAIL), /ECONNREFUSED/)
})

test('a password goes to no other machine without encryption', async (t) => {
  const { server, signedIn } = await serve(t)
  // 0.0.0.0 reaches this machine, and is no name of it that we trust.
  const mailer = openMailer({ server: server.replace('127.0.0.1', '0.0.0.0'), user: 'ops', password: 'right' })
  await assert.rejects(mailer.send(MAIL), /STARTTLS/)
  assert.deepEqual(signedIn, [])
})

test('an alert comes by mail once, though the server failed at first', async (t) => {
  const { server, mails } = await serve(t, { fails: 1 })
  const clock = new ManualClock()
  const random = seededRandom(1)
  const rows = new MemoryRows()
  const alerts = new Alerts({ clock, random, rows })
  const to = ['ops@example.org']
  const mailer = async (): Promise<Mailer> => openMailer({ server })
  const destination = email({ from: 'ai@example.org', to, publicUrl: 'https://ai.example', mailer })
  const deliveries = new Deliveries({
    clock,
    random,
    rows,
    queue: new MemoryQueue(clock),
    log: silentLog,
    silences: new Silences({ clock, random, rows }),
    destinations: () => [destination],
  })
  const evidence = { budgetLeft: 0.25, link: '/api/traces?status=error' }
  await alerts.raise({ kind: 'objective_burn', subject: { objective: 'answered' }, evidence, key: 'a', step: 'fast' })
  await deliveries.pass()
  assert.match(
    String((await deliveries.status())[0]?.['failing'] && JSON.stringify(await deliveries.status())),
    /the disk is full/,
  )
  clock.advance(6_000)
  await deliveries.pass()
  await deliveries.pass()
  assert.equal(mails.length, 1)
  assert.match(mails[0]?.text ?? '', /^Subject: \[Headworks\] objective_burn raised: objective answered/m)
  assert.match(mails[0]?.text ?? '', /evidence: https:\/\/ai\.example\/api\/traces\?status=3?D?error/)
})
