// An ordinary application for Node, to be run through tunnels: node server.mjs PORT
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { createGzip } from "node:zlib";

const routes = {
  "/hello": (_, response) => {
    response.writeHead(200, [["Content-Type", "text/plain"], ["Set-Cookie", "a=1; Path=/"], ["Set-Cookie", "b=2"], ["ETag", '"one"']].flat());
    response.end("hello\n");
  },
  "/moved": (_, response) => response.writeHead(302, { Location: "/hello" }).end(),
  "/nothing": (_, response) => response.writeHead(204).end(),
  // Each piece by itself, and a pause before the next one.
  "/pieces": (_, response) => {
    let count = 0;
    const timer = setInterval(() => {
      response.write(`piece ${count}\n`);
      if (++count < 40) return;
      clearInterval(timer);
      response.end();
    }, 50);
    response.on("close", () => clearInterval(timer));
  },
  // While the body still comes, it goes back: as it is, or smaller.
  "/echo": (request, response) => request.pipe(response),
  "/gzip": (request, response) => {
    response.setHeader("Content-Encoding", "gzip");
    request.pipe(createGzip()).pipe(response);
  },
  "/digest": (request, response) => request.pipe(createHash("sha256").setEncoding("hex")).pipe(response),
};

const server = createServer((request, response) => {
  const route = routes[request.url];
  if (route) route(request, response);
  else response.writeHead(404).end();
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("listening"));
