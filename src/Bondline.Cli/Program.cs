Console.WriteLine("bondline");
