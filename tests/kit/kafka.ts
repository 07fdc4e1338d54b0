/** Apache Kafka, one broker that is its own controller. Runs where there is a `java` and HEADWORKS_TEST_KAFKA
 *  names a folder of its jars. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Admin } from '@platformatic/kafka'
import { freePort } from './house.ts'
import type { RunningProgram } from './programs.ts'

const JARS = process.env['HEADWORKS_TEST_KAFKA'] ?? ''
const hasJars = existsSync(JARS) && readdirSync(JARS).some((name) => name.startsWith('kafka-server-'))
export const skipKafka: string | false = !hasJars
  ? 'there is no Kafka: mvn -f tests/clients/kafka.xml dependency:copy-dependencies, and set HEADWORKS_TEST_KAFKA'
  : spawnSync('java', ['-version']).status === 0
    ? false
    : 'there is no Java: apt-get install default-jre-headless'

const READY_MS_MAX = 90_000
const POLL_MS = 200
const CLUSTER = 'MkU3OEVBNTcwNTJENDM2Qk'
/** The compilers that long runs need cost more than they bring. */
const JAVA = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', join(JARS, '*')]

/** @param folder Where it keeps its topics; of an earlier one, to go on. */
export async function startKafka(folder: string, port?: number): Promise<RunningProgram> {
  const own = port ?? (await freePort())
  const file = join(folder, 'server.properties')
  if (!existsSync(file)) {
    const controller = await freePort()
    mkdirSync(join(folder, 'data'), { recursive: true })
    writeFileSync(file, propertiesOf(join(folder, 'data'), own, controller))
    const made = spawnSync('java', [...JAVA, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER, '-c', file])
    if (made.status !== 0) throw new Error(`Kafka's folder could not be made: ${made.stderr.toString()}`)
  }
  const child = spawn('java', [...JAVA, 'kafka.Kafka', file], { stdio: 'ignore' })
  for (let waited = 0; !(await isReady(own)); waited += POLL_MS) {
    if (waited > READY_MS_MAX || child.exitCode !== null) throw new Error('Kafka did not start')
    await sleep(POLL_MS)
  }
  return { port: own, stop: () => end(child) }
}

const propertiesOf = (data: string, port: number, controller: number): string =>
  Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    'log.dirs': data,
    'auto.create.topics.enable': false,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')

async function isReady(port: number): Promise<boolean> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [`127.0.0.1:${port}`], retries: 0, timeout: 2_000 })
  admin.on('error', () => {})
  try {
    await admin.listTopics({})
    return true
  } catch {
    return false
  } finally {
    await admin.close()
  }
}

async function end(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}
