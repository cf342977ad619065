// fetch.mjs ADDRESS PORT: prints what an HTTP server answers.
import { request } from 'node:http';

const [address, port] = process.argv.slice(2);
request({ host: address, port }, response => response.pipe(process.stdout)).end();
