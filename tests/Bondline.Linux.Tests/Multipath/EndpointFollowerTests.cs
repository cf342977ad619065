using System.Net;
using Xunit;

namespace Bondline.Linux.Tests.Multipath;

public sealed class EndpointFollowerTests
{
    private static readonly EndpointPlace Ethernet = new(IPAddress.Parse("10.1.0.2"), 2), WiFi = new(IPAddress.Parse("10.2.0.2"), 3), WiFi6 = new(IPAddress.Parse("2001:db8::2"), 3);

    private readonly List<MultipathEndpoint> _kernel = [];
    private int _nextId = 1;

    [Fact]
    public void What_can_be_used_gets_an_endpoint_once()
    {
        var follower = new EndpointFollower([]);
        Assert.Equal(["add 10.1.0.2 dev 2 Subflow", "add 2001:db8::2 dev 3 Subflow"], Follow(follower, 0, Ethernet, WiFi6));
        Assert.Empty(Follow(follower, 1, Ethernet, WiFi6));
        Assert.Null(follower.NextTimeout);
    }

    [Fact]
    public void A_lost_link_loses_its_endpoint_at_once_and_a_returned_one_has_it_at_once()
    {
        var follower = new EndpointFollower([]);
        Follow(follower, 0, Ethernet, WiFi);
        Assert.Equal(["delete 10.2.0.2 dev 3"], Follow(follower, 10, Ethernet));
        Assert.Equal(["add 10.2.0.2 dev 3 Subflow"], Follow(follower, 20, Ethernet, WiFi));
    }

    [Fact]
    public void Endpoints_of_others_are_never_touched_and_serve_as_well()
    {
        _kernel.Add(new(7, WiFi.Address, 0, MultipathEndpointFlags.Subflow | MultipathEndpointFlags.FullMesh, WiFi.InterfaceIndex));
        _kernel.Add(new(8, Ethernet.Address, 443, MultipathEndpointFlags.Signal, 0));
        var follower = new EndpointFollower([]);
        Assert.Equal(["add 10.1.0.2 dev 2 Subflow"], Follow(follower, 0, Ethernet, WiFi)); // an announced port is another endpoint
        Assert.Equal(["delete 10.1.0.2 dev 2"], Follow(follower, 1));
        Assert.Equal([7, 8], _kernel.Select(endpoint => endpoint.Id));
    }

    [Fact]
    public void What_it_was_given_is_its_own_but_only_as_long_as_it_is_there()
    {
        _kernel.Add(new(1, Ethernet.Address, 0, MultipathEndpointFlags.Subflow, Ethernet.InterfaceIndex));
        var follower = new EndpointFollower([Ethernet, WiFi]);
        Assert.Empty(Follow(follower, 0, Ethernet));
        Assert.Equal([Ethernet], follower.Owned);
        _kernel.Add(new(2, WiFi.Address, 0, MultipathEndpointFlags.Subflow, WiFi.InterfaceIndex)); // somebody else makes what had been ours
        Assert.Equal(["delete 10.1.0.2 dev 2"], Follow(follower, 1));
    }

    [Fact]
    public void An_endpoint_that_was_made_a_backup_comes_back_as_one()
    {
        var follower = new EndpointFollower([]);
        Follow(follower, 0, WiFi);
        _kernel[0] = _kernel[0] with { Flags = MultipathEndpointFlags.Subflow | MultipathEndpointFlags.Backup };
        Follow(follower, 1);
        Assert.Equal(["add 10.2.0.2 dev 3 Subflow, Backup"], Follow(follower, 100, WiFi));
    }

    [Fact]
    public void A_new_address_of_a_network_is_added_before_the_old_one_goes()
    {
        var follower = new EndpointFollower([]);
        Follow(follower, 0, WiFi);
        Assert.Equal(["add 10.2.0.9 dev 3 Subflow", "delete 10.2.0.2 dev 3 replaced"], Follow(follower, 1, WiFi with { Address = IPAddress.Parse("10.2.0.9") }));
    }

    [Fact]
    public void Without_room_for_both_the_old_address_goes_first()
    {
        for (var i = 0; i < 7; i++) _kernel.Add(new(100 + i, IPAddress.Parse($"10.9.0.{i}"), 0, MultipathEndpointFlags.Signal, 0));
        var follower = new EndpointFollower([]);
        Follow(follower, 0, WiFi);
        Assert.Equal(["delete 10.2.0.2 dev 3 replaced", "add 10.2.0.9 dev 3 Subflow"], Follow(follower, 1, WiFi with { Address = IPAddress.Parse("10.2.0.9") }));
    }

    [Fact]
    public void An_interface_that_was_unplugged_and_has_another_number_gets_a_new_endpoint_for_the_same_address()
    {
        var follower = new EndpointFollower([]);
        Follow(follower, 0, WiFi);
        Assert.Equal(["delete 10.2.0.2 dev 3", "add 10.2.0.2 dev 9 Subflow"], Follow(follower, 1, WiFi with { InterfaceIndex = 9 }));
    }

    [Fact]
    public void A_network_that_comes_and_goes_is_used_again_only_when_it_stays()
    {
        var follower = new EndpointFollower([]);
        double now = 0;
        for (var loss = 0; loss < 3; loss++)
        {
            Assert.Single(Follow(follower, now += 0.1, WiFi));
            Assert.Single(Follow(follower, now += 0.1));
        }
        var back = now + 0.1;
        Assert.Empty(Follow(follower, back, WiFi)); // lost three times: one second
        Assert.Equal(TimeSpan.FromSeconds(back + 1), follower.NextTimeout);
        Assert.Empty(Follow(follower, back + 0.5));
        Assert.Null(follower.NextTimeout);
        Assert.Empty(Follow(follower, back + 0.6, WiFi)); // the second begins again
        Assert.Empty(Follow(follower, back + 1.5, WiFi));
        Assert.Equal(["add 10.2.0.2 dev 3 Subflow"], Follow(follower, back + 1.61, WiFi));
        Assert.Null(follower.NextTimeout);
    }

    [Fact]
    public void A_wait_has_an_end_and_old_losses_are_forgotten()
    {
        var follower = new EndpointFollower([]);
        double now = 0;
        for (var loss = 0; loss < 40; loss++)
        {
            Follow(follower, now, WiFi);
            if (follower.NextTimeout is { } due)
            {
                Assert.InRange(due.TotalSeconds - now, 0, 16.001);
                Assert.Single(Follow(follower, now = due.TotalSeconds, WiFi));
            }
            Follow(follower, now += 0.1);
        }
        Assert.Single(Follow(follower, now + 31, WiFi));
    }

    [Fact]
    public void What_the_kernel_refuses_is_not_its_own_and_is_tried_again()
    {
        var follower = new EndpointFollower([]);
        Assert.Single(follower.Follow([WiFi], _kernel, TimeSpan.Zero));
        follower.HandleRefused(WiFi);
        Assert.Empty(follower.Owned);
        Assert.Single(follower.Follow([WiFi], _kernel, TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void Addresses_that_change_for_ever_cost_no_memory_for_ever()
    {
        var follower = new EndpointFollower([]);
        for (var i = 0; i < 5000; i++)
        {
            Follow(follower, i * 0.001, new EndpointPlace(new IPAddress(i + 1), 3));
            Assert.Single(_kernel);
        }
        Assert.Single(follower.Owned);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_happens_others_keep_theirs_and_in_the_end_all_is_as_it_should_be(int seed)
    {
        var random = new Random(seed);
        EndpointPlace[] places = [Ethernet, WiFi, WiFi6, WiFi with { InterfaceIndex = 9 }, new(IPAddress.Parse("10.2.0.9"), 3)];
        var foreign = new MultipathEndpoint(200, IPAddress.Parse("10.7.0.1"), 0, MultipathEndpointFlags.Subflow, 5);
        _kernel.Add(foreign);
        var follower = new EndpointFollower([]);
        double now = 0;
        for (var step = 0; step < 2000; step++)
        {
            now += random.NextDouble();
            EndpointPlace[] wanted = [.. places.Where(_ => random.Next(2) == 0).DistinctBy(place => place.Address)];
            Follow(follower, now, wanted);
            if (random.Next(20) == 0) _kernel.RemoveAll(endpoint => endpoint != foreign && random.Next(2) == 0);
            Assert.Contains(foreign, _kernel);
            Assert.DoesNotContain(_kernel, endpoint => endpoint != foreign && !wanted.Contains(new(endpoint.Address, endpoint.InterfaceIndex)));
        }
        Follow(follower, now + 100, Ethernet, WiFi);
        Follow(follower, now + 200, Ethernet, WiFi);
        Assert.Equal([foreign.Address, Ethernet.Address, WiFi.Address], _kernel.Select(endpoint => endpoint.Address).OrderBy(address => address == foreign.Address ? 0 : address.Equals(Ethernet.Address) ? 1 : 2));
    }

    // Carries the commands out, as the kernel would.
    private List<string> Follow(EndpointFollower follower, double seconds, params EndpointPlace[] wanted)
    {
        var done = new List<string>();
        foreach (var command in follower.Follow(wanted, [.. _kernel], TimeSpan.FromSeconds(seconds)))
        {
            switch (command)
            {
                case EndpointCommand.Add add:
                    Assert.DoesNotContain(_kernel, endpoint => endpoint.Address.Equals(add.Place.Address) && endpoint.Port == 0);
                    Assert.True(_kernel.Count < MultipathEndpoint.MaxCount);
                    _kernel.Add(add.Endpoint with { Id = _nextId++ });
                    done.Add($"add {add.Place.Address} dev {add.Place.InterfaceIndex} {add.Flags}");
                    break;
                case EndpointCommand.Delete delete:
                    Assert.True(_kernel.Remove(delete.Endpoint));
                    done.Add($"delete {delete.Endpoint.Address} dev {delete.Endpoint.InterfaceIndex}{(delete.IsReplaced ? " replaced" : "")}");
                    break;
            }
        }
        return done;
    }
}
