// The page tells what it shows, and the server prints it.
const reports = {
  name: "reports",
  configureServer: (server) => {
    server.middlewares.use("/shown", (request, response) => {
      const query = new URL(request.url, "http://localhost").searchParams;
      console.log(`shown ${query.get("page")} ${query.get("text")}`);
      response.end();
    });
  },
};

export default { plugins: [reports], clearScreen: false };
