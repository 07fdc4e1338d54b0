/** The program: a child process in the role it was started for, or the command line. */
const NODE_MAJOR_MIN = 26

const [, entry = '', first, role] = process.argv

if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN) {
  process.stderr.write(
    `Headworks needs Node ${NODE_MAJOR_MIN}; this is ${process.versions.node}. Start it with bin/headworks.js, which brings its own.\n`,
  )
  process.exitCode = 1
} else if (first === '--role' && process.send !== undefined) {
  const { serveRole } = await import('./house/roles.ts')
  await serveRole(role ?? '', process.argv.slice(4))
} else {
  const { main } = await import('./house/context.ts')
  process.exitCode = await main(entry, process.argv.slice(2))
}
