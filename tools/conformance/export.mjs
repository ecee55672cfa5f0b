// Prints what a module of the suite exports, as JSON: node export.mjs MODULE. The suite's own export of its tests needs
// packages that we do not.
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const { default: exported } = await import(pathToFileURL(path.resolve(process.argv[2])).href)
process.stdout.write(JSON.stringify(exported))
