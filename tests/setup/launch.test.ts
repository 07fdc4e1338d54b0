import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { Checkout, hostNode } from './checkout.ts'

/** Tells what it got, then waits for a signal when asked to. */
const PROGRAM = `
const given: readonly string[] = process.argv.slice(2)
if (given[0] === 'exit') process.exitCode = Number(given[1])
if (given[0] === 'wait') {
  const timer = setInterval(() => {}, 1000)
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => {
    process.stdout.write(signal)
    clearInterval(timer)
    process.exitCode = 7
  })
}
process.stdout.write(JSON.stringify({ given, cwd: process.cwd(), node: process.versions.node }) + '\\n')
if (given[0] === 'die') process.kill(process.pid, 'SIGKILL')
`

// The machine's own Node takes the way through a second process, Node 26 the way without; where
// they are the same, both go the same way.
for (const [which, node] of [
  ['the Node npm runs with', hostNode],
  ['Node 26', process.execPath],
] as const) {
  suite(`the command under ${which}`, () => {
    let checkout: Checkout
    before(async () => {
      checkout = new Checkout()
      checkout.write('src/main.ts', PROGRAM)
      assert.equal((await checkout.setUp()).code, 0)
    })
    after(() => checkout.remove())

    const run = (...parameters: string[]) => checkout.start(['bin/headworks.js', ...parameters], {}, node)

    test('gets its arguments, the folder, Node 26, and hands back its exit code', async () => {
      const { code, stdout, stderr } = await run('exit', '3', '--a b', '').ended
      assert.equal(code, 3, stderr)
      const told = JSON.parse(stdout) as { given: string[]; cwd: string; node: string }
      assert.deepEqual(told.given, ['exit', '3', '--a b', ''])
      assert.equal(told.cwd, checkout.folder)
      assert.equal(told.node, process.versions.node)
    })

    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      test(`passes on ${signal}`, async () => {
        const { child, ended } = run('wait')
        await new Promise((resolve) => child.stdout?.once('data', resolve))
        child.kill(signal)
        const { code, stdout } = await ended
        assert.equal(code, 7)
        assert.ok(stdout.endsWith(signal))
      })
    }

    test('ends by the signal that ended the program', async () => {
      const { code, signal } = await run('die').ended
      assert.deepEqual({ code, signal }, { code: null, signal: 'SIGKILL' })
    })

    test('installs first when the set-up is stale', async () => {
      checkout.lock('2.0.0')
      const { stderr, code } = await run('exit', '0').ended
      assert.equal(code, 0, stderr)
      assert.match(stderr, /Installing/)
    })
  })
}

test('says what to do when there is no program', async () => {
  const checkout = new Checkout()
  try {
    const { code, stderr } = await checkout.start(['bin/headworks.js']).ended
    assert.equal(code, 1)
    assert.match(stderr, /neither src\/main\.ts nor dist\/main\.js\. Install Headworks again/)
  } finally {
    checkout.remove()
  }
})
