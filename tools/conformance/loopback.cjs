// Loaded before the suite's server, which would listen on every interface: this one listens on this machine only.
const net = require('node:net')

const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (port, ...others) {
  return listen.call(this, { port: Number(port), host: '127.0.0.1' }, ...others)
}
