// Prints the suite's tests as JSON: node export.mjs FOLDER. The suite's own export needs packages that we do not.
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const index = path.resolve(process.argv[2], 'tests', 'index.mjs')
const { default: suites } = await import(pathToFileURL(index).href)
process.stdout.write(JSON.stringify(suites))
